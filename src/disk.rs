//! The border to the file system: the few operations that the journal and the spools need, so that tests can make
//! each of them fail, fall short or stall.
//!
//! The real one is a directory (mode 0700) of segment files (mode 0600) that one process holds by a lock.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};

/// The name of the file whose lock says that the directory is in use.
pub(crate) const LOCK_NAME: &str = "lock";

/// A file larger than this is none of ours and not read.
const READ_BYTES_MAX: u64 = 256 << 20;

/// A directory of segments.
pub trait Disk: Send {
    /// The names of all files in it.
    fn list(&mut self) -> io::Result<Vec<String>>;
    /// The size of a file in bytes.
    fn size(&mut self, name: &str) -> io::Result<u64>;
    /// The whole content of a file.
    fn read(&mut self, name: &str) -> io::Result<Vec<u8>>;
    /// Makes a file that is not there yet, with this much space set aside where the file system can.
    fn create(&mut self, name: &str, preallocate_bytes: u64) -> io::Result<Box<dyn SegmentFile>>;
    /// Cuts a file to this length.
    fn cut(&mut self, name: &str, length: u64) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Makes the creation and removal of files durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Bytes that may still be written to the file system, where it can tell.
    fn free_bytes(&mut self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// A segment being written.
pub trait SegmentFile: Send {
    /// Appends some of these bytes and says how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Makes what was written durable.
    fn sync_data(&mut self) -> io::Result<()>;
}

/// A real directory, held by a lock for as long as this lives.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory if need be and takes its lock. `WouldBlock`: another process has it.
    pub fn lock(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK_NAME))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }
}

impl Disk for Directory {
    fn list(&mut self) -> io::Result<Vec<String>> {
        list(&self.path)
    }

    fn size(&mut self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path.join(name))?.len())
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        read(&self.path, name)
    }

    fn create(&mut self, name: &str, preallocate_bytes: u64) -> io::Result<Box<dyn SegmentFile>> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.path.join(name))?;
        // A courtesy: a file system that cannot, or is too full to, is found out by the first write.
        let _ = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, preallocate_bytes);
        Ok(Box::new(RealFile(file)))
    }

    fn cut(&mut self, name: &str, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.path.join(name))?;
        file.set_len(length)?;
        file.sync_data()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&mut self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn free_bytes(&mut self) -> io::Result<u64> {
        let told = rustix::fs::statvfs(&self.path)?;
        Ok(told.f_bavail.saturating_mul(told.f_frsize))
    }
}

struct RealFile(File);

impl SegmentFile for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The names of all regular files in a directory.
pub(crate) fn list(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// The content of a file, if it is not absurdly large.
pub(crate) fn read(path: &Path, name: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path.join(name))?.take(READ_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
