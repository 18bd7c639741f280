//! Who is at the other end of the local socket: the name that the journal records.
//!
//! The kernel says which user it is, so nobody can claim to be another. The name is looked up in the machine's
//! own list of users only, never over the network: a look-up that hangs would hang the request.

use std::io::Read as _;
use std::path::Path;

use crate::safety::fact::Operator;

/// The machine's list of users.
const USERS: &str = "/etc/passwd";

/// No list is longer.
const USERS_BYTES_MAX: u64 = 1 << 20;

/// The longest name that is believed.
const NAME_CHARS_MAX: usize = 32;

/// `local:kim`, or `local:uid-1000` where the user has no usable name.
pub(super) fn operator(uid: u32) -> Operator {
    let mut users = String::new();
    let file = std::fs::File::open(Path::new(USERS));
    let read = file.and_then(|file| file.take(USERS_BYTES_MAX).read_to_string(&mut users));
    let name = read.ok().and_then(|_| name_in(&users, uid));
    name.map_or_else(|| format!("local:uid-{uid}"), |name| format!("local:{name}")).into()
}

fn name_in(users: &str, uid: u32) -> Option<&str> {
    let of_line = |line: &'_ str| -> Option<(usize, u32)> {
        let mut fields = line.split(':');
        let name = fields.next()?.len();
        Some((name, fields.nth(1)?.parse().ok()?))
    };
    let line = users.lines().find(|line| of_line(line).is_some_and(|(_, id)| id == uid))?;
    let name = line.split(':').next()?;
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (!name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(good)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number_and_a_name_that_could_mislead_is_not_used() {
        let users = "root:x:0:0:root:/root:/bin/sh\nkim:x:1000:1000::/home/kim:/bin/sh\n\
                     a b:x:1001:1001::/:/bin/sh\nbroken line\n";
        assert_eq!(name_in(users, 0), Some("root"));
        assert_eq!(name_in(users, 1000), Some("kim"));
        assert_eq!((name_in(users, 1001), name_in(users, 7)), (None, None));
        assert!(operator(u32::MAX - 7).starts_with("local:uid-"));
    }
}
