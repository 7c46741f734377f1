//! Bodies too large for a row: files under `blobs/`, named by SHA-256, on disk before the commit that refers to them.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::{codec, codec::Digest, error};
use crate::{limits, store::StoreError};

/// The folder of large bodies.
#[derive(Debug)]
pub(super) struct Blobs {
    folder: PathBuf,
    /// Bodies that are written or about to be referred to; the sweep leaves them alone.
    pinned: Mutex<HashMap<Digest, usize>>,
}

/// Keeps a file from being swept until the transaction that refers to it is over.
#[derive(Debug)]
pub(super) struct Pin {
    blobs: Arc<Blobs>,
    digest: Digest,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pinned = self.blobs.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pins) = pinned.get_mut(&self.digest) {
            *pins -= 1;
            if *pins == 0 {
                pinned.remove(&self.digest);
            }
        }
    }
}

/// A body on its way into the table `body`.
#[derive(Debug)]
pub(super) struct Parcel {
    digest: Digest,
    bytes: usize,
    /// The body itself, or the pin of its file.
    content: Result<Vec<u8>, Pin>,
}

/// Whether a body is a file rather than part of a row.
pub(super) fn is_large(bytes: usize) -> bool {
    bytes > limits::BODY_IN_ROW_BYTES
}

impl Blobs {
    /// The blobs of a data folder. What a crash left half written is removed.
    pub(super) fn open(data: &Path) -> Arc<Self> {
        let blobs = Self::beside(data);
        // Nobody refers to these, and the disk may be full: failing to remove them must not keep Larum from starting.
        let _ = fs::remove_dir_all(blobs.unfinished());
        blobs
    }

    /// The blobs of a data folder another process may be writing into.
    pub(super) fn beside(data: &Path) -> Arc<Self> {
        Arc::new(Self { folder: data.join("blobs"), pinned: Mutex::default() })
    }

    fn unfinished(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    fn place(&self, digest: &Digest) -> PathBuf {
        let name = hex::encode(digest);
        self.folder.join(&name[..2]).join(name)
    }

    /// Makes parcels of bodies; the large ones are on disk when this returns. Blocks on the disk.
    pub(super) fn pack<B: AsRef<[u8]> + Into<Vec<u8>>>(
        self: &Arc<Self>,
        bodies: impl IntoIterator<Item = B>,
    ) -> Result<Vec<Parcel>, StoreError> {
        let mut folders = BTreeSet::new();
        let mut parcels = Vec::new();
        for body in bodies {
            let (digest, bytes) = (codec::digest(body.as_ref()), body.as_ref().len());
            let content = if is_large(bytes) {
                let pin = self.pin(digest);
                let place = self.place(&digest);
                self.write(&place, body.as_ref())?;
                folders.extend(place.parent().map(Path::to_owned));
                Err(pin)
            } else {
                Ok(body.into())
            };
            parcels.push(Parcel { digest, bytes, content });
        }
        // Also when a file was there already: whoever wrote it may not have come as far as this.
        for folder in folders {
            sync(&folder)?;
        }
        Ok(parcels)
    }

    fn pin(self: &Arc<Self>, digest: Digest) -> Pin {
        *self.pinned.lock().unwrap_or_else(PoisonError::into_inner).entry(digest).or_default() += 1;
        Pin { blobs: Arc::clone(self), digest }
    }

    fn write(&self, place: &Path, content: &[u8]) -> Result<(), StoreError> {
        if place.exists() {
            return Ok(());
        }
        let unfinished = self.unfinished();
        self.make_folder(&unfinished)?;
        place.parent().map_or(Ok(()), |folder| self.make_folder(folder))?;
        let draft = unfinished.join(Uuid::now_v7().to_string());
        let written = (|| {
            let mut file = File::create_new(&draft)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&draft, place)
        })();
        written.map_err(|problem| {
            let _ = fs::remove_file(&draft);
            error::file("writing", place, &problem)
        })
    }

    fn make_folder(&self, folder: &Path) -> Result<(), StoreError> {
        if folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(folder).map_err(|problem| error::file("making", folder, &problem))?;
        sync(&self.folder)?;
        self.folder.parent().map_or(Ok(()), sync)
    }

    /// Reads a body back. A missing file is damage: it was on disk before anything referred to it.
    fn read(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let place = self.place(digest);
        fs::read(&place).map_err(|problem| error::file("reading", &place, &problem))
    }

    /// Removes the files nothing refers to. Blocks on the disk.
    pub(super) fn sweep(&self, connection: &Connection) -> Result<(), StoreError> {
        for folder in entries(&self.folder)? {
            if folder == self.unfinished() {
                continue;
            }
            for file in entries(&folder)? {
                let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let mut digest = Digest::default();
                if hex::decode_to_slice(name, &mut digest).is_err() {
                    continue;
                }
                // Held while looking and removing: who pins afterwards writes the file anew.
                let pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
                if !pinned.contains_key(&digest) && !is_kept(connection, &digest)? {
                    fs::remove_file(&file).map_err(|problem| error::file("removing", &file, &problem))?;
                }
            }
        }
        Ok(())
    }
}

fn sync(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|problem| error::file("syncing", folder, &problem))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let listed = match fs::read_dir(folder) {
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect()),
    };
    listed.map_err(|problem| error::file("listing", folder, &problem))
}

fn is_kept(connection: &Connection, digest: &Digest) -> Result<bool, StoreError> {
    Ok(connection.prepare_cached("SELECT 1 FROM body WHERE sha256 = ?1")?.exists([digest])?)
}

/// Puts a parcel into the table, or counts one more use of what is there. Returns `body.id`.
pub(super) fn keep(connection: &Connection, parcel: &Parcel) -> Result<i64, StoreError> {
    let mut known = connection.prepare_cached("UPDATE body SET uses = uses + 1 WHERE sha256 = ?1 RETURNING id")?;
    if let Some(id) = known.query_row([parcel.digest], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO body (sha256, uses, bytes, content) VALUES (?1, 1, ?2, ?3)")?
        .execute(params![parcel.digest, codec::int(parcel.bytes as u64), parcel.content.as_deref().ok()])?;
    Ok(connection.last_insert_rowid())
}

/// Counts one use less; the last one takes the row along. Its file goes with the next sweep.
pub(super) fn release(connection: &Connection, id: i64) -> Result<(), StoreError> {
    connection.prepare_cached("UPDATE body SET uses = uses - 1 WHERE id = ?1")?.execute([id])?;
    connection.prepare_cached("DELETE FROM body WHERE id = ?1 AND uses <= 0")?.execute([id])?;
    Ok(())
}

/// A body and its SHA-256.
pub(super) fn load(connection: &Connection, blobs: &Blobs, id: i64) -> Result<(Digest, Vec<u8>), StoreError> {
    let mut rows = connection.prepare_cached("SELECT sha256, content FROM body WHERE id = ?1")?;
    let (digest, content): (Digest, Option<Vec<u8>>) = rows.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((digest, content.map_or_else(|| blobs.read(&digest), Ok)?))
}
