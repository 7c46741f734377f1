//! How many connections each client has.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::limits::CONNECTIONS_OF_ONE_CLIENT;

/// Counts connections by client.
#[derive(Debug, Clone, Default)]
pub struct Shares {
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection; when it goes, there is room for another.
#[derive(Debug)]
pub struct Share {
    of: Shares,
    client: IpAddr,
}

impl Shares {
    /// A connection of this client, unless it has [`CONNECTIONS_OF_ONE_CLIENT`] already.
    #[must_use]
    pub fn take(&self, client: IpAddr) -> Option<Share> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(client).or_insert(0);
        if *count >= CONNECTIONS_OF_ONE_CLIENT {
            return None;
        }
        *count += 1;
        Some(Share { of: self.clone(), client })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.of.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_leaves_room_for_the_others() {
        let shares = Shares::default();
        let (greedy, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let mut taken: Vec<_> = std::iter::from_fn(|| shares.take(greedy)).collect();
        assert_eq!(taken.len(), CONNECTIONS_OF_ONE_CLIENT);
        assert!(shares.take(other).is_some());
        taken.pop();
        let again = shares.take(greedy);
        assert!(again.is_some() && shares.take(greedy).is_none());
        drop((taken, again));
        assert!(shares.held.lock().unwrap().is_empty(), "nothing is remembered of who has gone");
    }
}
