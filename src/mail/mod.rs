//! Mail: reading one as it arrived, keeping automatic answers from looping, writing one and sending it.

pub mod guard;
pub mod html;
pub mod mime;
pub mod read;
pub mod send;
pub mod shown;
pub mod write;

pub use read::{Attachment, Message, Unreadable, attachment, read};
