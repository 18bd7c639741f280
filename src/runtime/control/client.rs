//! The other end: a command that asks the daemon.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::protocol::{
    AlarmVerb, Answer, Command, LINE_BYTES_MAX, LinkEntry, Recorded, SequenceVerb, Wanted, unhex,
};
use crate::field::ask::Asker;
use crate::field::frames::RawFrame;
use crate::field::pdu::{Reply, Request};
use crate::safety::reading::ReadFault;

/// How long an answer of the daemon may take: a little more than it gives itself.
const ANSWER_MAX: Duration = Duration::from_secs(65);

/// How often a busy link is asked again, and after how long.
const TRIES_MAX: u32 = 50;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Why the daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum CallFault {
    /// There is no daemon.
    #[error("no daemon listens at {0}")]
    Nobody(PathBuf),
    /// The socket is closed to us.
    #[error("the daemon's socket {0} may not be used: run as root, or as its user (emberwatch)")]
    Forbidden(PathBuf),
    /// It does not work.
    #[error("the daemon's socket failed: {0}")]
    Io(#[from] io::Error),
    /// The daemon cannot serve this request.
    #[error("{0}")]
    Refused(String),
    /// The core does not follow this request.
    #[error("{0}")]
    Declined(String),
    /// It speaks in another way.
    #[error("the daemon answered what was not asked: is it of another version?")]
    Strange,
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    line: Vec<u8>,
    link: String,
    trouble: Option<String>,
}

/// What became of a request that was not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// In whose name it was asked.
    pub by: String,
    /// It waits for a second person for so long; `None`: it was followed.
    pub waits_ms: Option<u64>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// `Nobody` where no daemon runs, `Forbidden` without the right to ask it.
    pub async fn connect(socket: &Path) -> Result<Self, CallFault> {
        let stream = UnixStream::connect(socket).await.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => CallFault::Forbidden(socket.to_owned()),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                CallFault::Nobody(socket.to_owned())
            }
            _ => CallFault::Io(error),
        })?;
        let (reader, writer) = stream.into_split();
        let reader = BufReader::new(reader);
        Ok(Self { reader, writer, line: Vec::new(), link: String::new(), trouble: None })
    }

    /// The daemon's links.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn links(&mut self) -> Result<Vec<LinkEntry>, CallFault> {
        match self.call(&Command::Links {}).await? {
            Answer::Links(links) => Ok(links),
            _ => Err(CallFault::Strange),
        }
    }

    /// How everything stands, as a document.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn status(&mut self) -> Result<Value, CallFault> {
        match self.call(&Command::Status {}).await? {
            Answer::Status(status) => Ok(status),
            _ => Err(CallFault::Strange),
        }
    }

    /// The document of each alarm that is not normal, and of this one.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn alarms(&mut self, also: Option<&str>) -> Result<Vec<Value>, CallFault> {
        let mut answer = self.call(&Command::Alarms { also: also.map(str::to_owned) }).await?;
        let mut alarms = Vec::new();
        // Ends: a site has so many alarms, and `end` comes after them.
        loop {
            match answer {
                Answer::Alarm(alarm) => alarms.push(alarm),
                Answer::End { .. } => return Ok(alarms),
                _ => return Err(CallFault::Strange),
            }
            answer = self.hear().await?;
        }
    }

    /// Asks something about an alarm, in the name of this process's user.
    ///
    /// # Errors
    /// `Declined` where the core does not follow, else those of the call.
    pub async fn alarm(&mut self, id: &str, verb: AlarmVerb) -> Result<Said, CallFault> {
        self.asked(&Command::Alarm { id: id.to_owned(), verb }).await
    }

    /// The document of each sequence.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn sequences(&mut self) -> Result<Vec<Value>, CallFault> {
        let mut answer = self.call(&Command::Sequences {}).await?;
        let mut sequences = Vec::new();
        // Ends: a site has so many sequences, and `end` comes after them.
        loop {
            match answer {
                Answer::Sequence(sequence) => sequences.push(sequence),
                Answer::End { .. } => return Ok(sequences),
                _ => return Err(CallFault::Strange),
            }
            answer = self.hear().await?;
        }
    }

    /// Asks something about a sequence, in the name of this process's user.
    ///
    /// # Errors
    /// `Declined` where the core does not follow, else those of the call.
    pub async fn sequence(&mut self, id: &str, verb: SequenceVerb) -> Result<Said, CallFault> {
        self.asked(&Command::Sequence { id: id.to_owned(), verb }).await
    }

    async fn asked(&mut self, command: &Command) -> Result<Said, CallFault> {
        match self.call(command).await? {
            Answer::Done { by } => Ok(Said { by, waits_ms: None }),
            Answer::Proposed { by, remaining_ms } => Ok(Said { by, waits_ms: Some(remaining_ms) }),
            Answer::Refused(why) => Err(CallFault::Declined(why)),
            _ => Err(CallFault::Strange),
        }
    }

    /// Asks for what happens to a sequence from now on; returns how it stands. The rest comes by
    /// [`happened`](Self::happened).
    ///
    /// # Errors
    /// Those of the call.
    pub async fn follow(&mut self, id: &str) -> Result<Value, CallFault> {
        match self.call(&Command::Follow { id: id.to_owned() }).await? {
            Answer::Sequence(sequence) => Ok(sequence),
            _ => Err(CallFault::Strange),
        }
    }

    /// What happened next to the sequence that is followed; `None` when the daemon ends.
    ///
    /// # Errors
    /// Those of the call; `Refused` where something was missed.
    pub async fn happened(&mut self) -> Result<Option<Value>, CallFault> {
        match self.hear().await? {
            Answer::Happened(happened) => Ok(Some(happened)),
            Answer::Busy(sentence) | Answer::Error(sentence) => Err(CallFault::Refused(sentence)),
            Answer::End { .. } => Ok(None),
            _ => Err(CallFault::Strange),
        }
    }

    /// From now on, questions go to this link.
    #[must_use]
    pub fn on(mut self, link: String) -> Self {
        self.link = link;
        self
    }

    /// Asks for the frames of the link from this number on. They come by [`frame`](Self::frame).
    ///
    /// # Errors
    /// Those of the call.
    pub async fn begin_frames(&mut self, since: u64, follow: bool) -> Result<(), CallFault> {
        let command = Command::Frames { link: self.link.clone(), since, follow };
        self.say(&command).await
    }

    /// The next frame; `Err` with the number of the next in the last place.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn frame(&mut self) -> Result<Result<RawFrame, u64>, CallFault> {
        match self.hear().await? {
            Answer::Frame(entry) => {
                let bytes = unhex(&entry.hex).ok_or(CallFault::Strange)?;
                let (number, wall_us, sent) = (entry.number, entry.wall_us, entry.sent);
                Ok(Ok(RawFrame { number, wall_us, sent, bytes }))
            }
            Answer::End { next } => Ok(Err(next)),
            Answer::Error(sentence) => Err(CallFault::Refused(sentence)),
            _ => Err(CallFault::Strange),
        }
    }

    /// All frames that are kept from this number on, and the number of the next.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn frames_since(&mut self, since: u64) -> Result<(Vec<RawFrame>, u64), CallFault> {
        self.begin_frames(since, false).await?;
        let mut frames = Vec::new();
        // Ends: the daemon's ring is bounded, and `end` comes after it.
        loop {
            match self.frame().await? {
                Ok(frame) => frames.push(frame),
                Err(next) => return Ok((frames, next)),
            }
        }
    }

    /// Asks for a recording of all that comes into the core. It comes by [`recorded`](Self::recorded).
    ///
    /// # Errors
    /// Those of the call.
    pub async fn begin_recording(&mut self) -> Result<(), CallFault> {
        self.say(&Command::Record {}).await
    }

    /// Asks for the end of the recording: the rest comes by [`recorded`](Self::recorded).
    ///
    /// # Errors
    /// Those of the call.
    pub async fn end_recording(&mut self) -> Result<(), CallFault> {
        Ok(self.writer.write_all(b"\n").await?)
    }

    /// The next bytes of the recording and what it holds so far; `None` after the last.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn recorded(&mut self) -> Result<Option<(Vec<u8>, Recorded)>, CallFault> {
        match self.hear().await? {
            Answer::Recorded(part) => {
                let bytes = BASE64.decode(&part.bytes).map_err(|_| CallFault::Strange)?;
                Ok(Some((bytes, part)))
            }
            Answer::End { .. } => Ok(None),
            Answer::Error(sentence) => Err(CallFault::Refused(sentence)),
            _ => Err(CallFault::Strange),
        }
    }

    async fn call(&mut self, command: &Command) -> Result<Answer, CallFault> {
        self.say(command).await?;
        let heard = tokio::time::timeout(ANSWER_MAX, self.hear()).await;
        match heard.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
            Answer::Error(sentence) => Err(CallFault::Refused(sentence)),
            answer => Ok(answer),
        }
    }

    async fn say(&mut self, command: &Command) -> Result<(), CallFault> {
        let mut line = serde_json::to_string(command).map_err(io::Error::other)?;
        line.push('\n');
        Ok(self.writer.write_all(line.as_bytes()).await?)
    }

    async fn hear(&mut self) -> Result<Answer, CallFault> {
        // A call that is dropped half-way leaves its bytes here: the next one reads on.
        let bound = LINE_BYTES_MAX.saturating_sub(self.line.len());
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        if (&mut self.reader).take(bound).read_until(b'\n', &mut self.line).await? == 0 {
            return Err(CallFault::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        let answer = serde_json::from_slice(&self.line).map_err(|_| CallFault::Strange);
        self.line.clear();
        answer
    }

    async fn ask_once(&mut self, unit: u8, request: Wanted) -> Result<Answer, CallFault> {
        let link = self.link.clone();
        self.call(&Command::Ask { link, unit, request }).await
    }
}

impl Asker for Client {
    async fn ask(&mut self, unit: u8, request: &Request) -> Result<Reply, ReadFault> {
        let Some(wanted) = Wanted::of(request) else { return Err(ReadFault::Malformed) };
        self.trouble = None;
        for _ in 0..TRIES_MAX {
            match self.ask_once(unit, wanted).await {
                Ok(Answer::Busy(_)) => tokio::time::sleep(TRY_AGAIN_AFTER).await,
                Ok(Answer::Fault(word)) => return Err(word.into()),
                Ok(answer) => return reply(answer).ok_or(ReadFault::Malformed),
                Err(fault) => {
                    self.trouble = Some(fault.to_string());
                    return Err(ReadFault::Disconnected);
                }
            }
        }
        Err(ReadFault::Timeout)
    }

    fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

fn reply(answer: Answer) -> Option<Reply> {
    match answer {
        Answer::Words(words) => Some(Reply::Words(words)),
        Answer::ServerId(text) => unhex(&text).map(Reply::ServerId),
        Answer::DeviceId { objects, more } => {
            let objects = objects.into_iter().map(|(object, text)| Some((object, unhex(&text)?)));
            Some(Reply::DeviceId { objects: objects.collect::<Option<_>>()?, more })
        }
        _ => None,
    }
}
