//! Who may log in, and who has.
//!
//! Passwords are compared as digests, in the same time whether they match early, late or not at all, and with every user.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{SHA256, digest};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::nut::options::{Role, UserOptions};

/// Everybody who may log in.
#[derive(Debug)]
pub(super) struct Users(Vec<(String, Vec<u8>, Role)>);

impl Users {
    pub(super) fn new(options: &[UserOptions]) -> Self {
        let user = |it: &UserOptions| (it.name.clone(), sha256(it.password.expose_secret()), it.role);
        Self(options.iter().map(user).collect())
    }

    /// The role of this user, if the password is theirs.
    pub(super) fn role(&self, name: &str, password: &str) -> Option<Role> {
        let given = sha256(password);
        let mut found = None;
        for (known, expected, role) in &self.0 {
            let right = bool::from(expected.as_slice().ct_eq(&given));
            if right && known == name {
                found = Some(*role);
            }
        }
        found
    }
}

fn sha256(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

/// Who has logged in to each UPS. As many as there are connections.
#[derive(Debug)]
pub(super) struct Logins(Mutex<Vec<Vec<IpAddr>>>);

impl Logins {
    pub(super) fn new(upses: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(vec![Vec::new(); upses])))
    }

    /// Enters a client, until the login is dropped.
    pub(super) fn enter(self: &Arc<Self>, ups: usize, client: IpAddr) -> Login {
        self.lock()[ups].push(client);
        Login { all: Arc::clone(self), ups, client }
    }

    /// The addresses of all who have logged in.
    pub(super) fn of(&self, ups: usize) -> Vec<IpAddr> {
        self.lock()[ups].clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<IpAddr>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that has logged in; it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Login {
    all: Arc<Logins>,
    ups: usize,
    client: IpAddr,
}

impl Drop for Login {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(place) = all[self.ups].iter().position(|client| *client == self.client) {
            all[self.ups].swap_remove(place);
        }
    }
}
