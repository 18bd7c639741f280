//! The daemon's end of the local socket.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::people::People;
use super::place::{Place, listen};
use super::protocol::{AlarmVerb, Answer, Command, FrameEntry, LINE_BYTES_MAX, LinkEntry, hex};
use super::record::Recordings;
use super::who;
use crate::clock;
use crate::field::Field;
use crate::field::frames::FrameLog;
use crate::field::link::AskFault;
use crate::field::options::LinkOptions;
use crate::field::pdu::{Reply, Request};
use crate::safety::site::SequenceId;
use crate::units::Millis;

/// Clients at a time; more are told so and sent away.
const CLIENTS_MAX: usize = 8;

/// The longest request: a hundred times what is needed.
const REQUEST_BYTES_MAX: u64 = 8 * 1024;

/// A client that asks nothing for this long is let go.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// How long one answer may take: the longest deadline of a link, and the polls before it.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A client that does not take what it asked for within this is let go.
const WRITE_MAX: Duration = Duration::from_secs(5);

/// How often new frames are looked for: a tenth of the time that the busiest line needs to fill the ring.
const FRAMES_EVERY: Duration = Duration::from_millis(100);

/// The longest that frames are followed.
const FOLLOW_MAX: Millis = Millis::from_secs(3600);

/// How long it rests after it could not accept a client (no file descriptors, for instance).
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The links, as clients may look at them.
pub(in crate::runtime) trait Links: Send + Sync + 'static {
    fn question(
        &self,
        link: &str,
        unit: u8,
        request: Request,
    ) -> impl Future<Output = Result<Reply, AskFault>> + Send;
    fn log_of(&self, link: &str) -> Option<FrameLog>;
}

impl Links for Field {
    async fn question(&self, link: &str, unit: u8, request: Request) -> Result<Reply, AskFault> {
        self.ask(link, unit, request).await
    }

    fn log_of(&self, link: &str) -> Option<FrameLog> {
        self.frames(link)
    }
}

/// What is served: the links and how they are called, and what people see and ask.
pub(in crate::runtime) struct Served<L> {
    links: Arc<L>,
    entries: Arc<Vec<LinkEntry>>,
    people: Arc<People>,
    recordings: Option<Recordings>,
}

impl<L> Served<L> {
    pub(in crate::runtime) fn new(
        links: Arc<L>,
        options: &[LinkOptions],
        people: Arc<People>,
        recordings: Option<Recordings>,
    ) -> Self {
        let entries = Arc::new(options.iter().map(LinkEntry::of).collect());
        Self { links, entries, people, recordings }
    }
}

impl<L> Clone for Served<L> {
    fn clone(&self) -> Self {
        let (links, entries) = (Arc::clone(&self.links), Arc::clone(&self.entries));
        Self { links, entries, people: Arc::clone(&self.people), recordings: self.recordings.clone() }
    }
}

/// A socket that is listened on.
#[derive(Debug)]
pub(in crate::runtime) struct Listening {
    listener: UnixListener,
    _place: Place,
}

impl Listening {
    /// Begins to listen; a failure is logged and leaves only this feature out.
    pub(in crate::runtime) async fn start(path: PathBuf) -> Option<Self> {
        match listen(&path).await {
            Ok((listener, place)) => Some(Self { listener, _place: place }),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "no local socket: status, alarms, scan, probe, capture and record cannot ask this daemon");
                None
            }
        }
    }

    /// Serves until the stop. Ends well: an edge that cannot accept only waits.
    pub(in crate::runtime) async fn serve<L: Links>(self, served: Served<L>, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(CLIENTS_MAX));
        let mut clients = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = clients.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let place = Arc::clone(&places).try_acquire_owned().ok();
                        let served = served.clone();
                        clients.spawn(async move {
                            attend(stream, place.is_some(), served).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the local socket could not accept a client");
                        tokio::time::sleep(RETRY_AFTER).await;
                    }
                },
            }
        }
        clients.abort_all();
    }
}

/// One client, from its first line to its last.
async fn attend<L: Links>(stream: UnixStream, admitted: bool, served: Served<L>) {
    let peer = stream.peer_cred().ok();
    let (uid, pid) = (peer.map(|peer| peer.uid()), peer.and_then(|peer| peer.pid()));
    let (reader, writer) = stream.into_split();
    let mut client = Talk { reader: BufReader::new(reader), writer };
    if !admitted {
        tracing::warn!(uid, pid, "local client sent away: too many at once");
        let sentence = format!("{CLIENTS_MAX} clients are connected already: try again later");
        let _ = client.say(&Answer::Error(sentence)).await;
        return;
    }
    tracing::info!(uid, pid, "local client");
    while let Ok(Some(line)) = client.line().await {
        let done = match serde_json::from_str::<Command>(&line) {
            Ok(command) => {
                tracing::debug!(uid, pid, ?command, "local request");
                served.obey(command, uid, &mut client).await
            }
            Err(error) => client.say(&Answer::Error(format!("not a request: {error}"))).await,
        };
        if done.is_err() {
            return;
        }
    }
}

pub(super) struct Talk {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Talk {
    /// The next request; `None` at the end. A line that is too long, or too slow, is an error.
    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let mut bounded = (&mut self.reader).take(REQUEST_BYTES_MAX);
        let read = bounded.read_line(&mut line);
        let count = tokio::time::timeout(IDLE_MAX, read).await.map_err(|_| io::ErrorKind::TimedOut)??;
        if count == 0 {
            return Ok(None);
        }
        if !line.ends_with('\n') {
            let sentence = format!("a request is one line of at most {REQUEST_BYTES_MAX} bytes");
            self.say(&Answer::Error(sentence)).await?;
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Some(line))
    }

    pub(super) async fn say(&mut self, answer: &Answer) -> io::Result<()> {
        let mut line = serde_json::to_string(answer).map_err(io::Error::other)?;
        line.push('\n');
        if LINE_BYTES_MAX < line.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let write = self.writer.write_all(line.as_bytes());
        tokio::time::timeout(WRITE_MAX, write).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Resolves when the client hangs up, or says something where it should listen.
    pub(super) async fn gone(&mut self) {
        let mut byte = [0];
        let _ = self.reader.read(&mut byte).await;
    }
}

impl<L: Links> Served<L> {
    async fn obey(&self, command: Command, uid: Option<u32>, client: &mut Talk) -> io::Result<()> {
        match command {
            Command::Status {} => client.say(&Answer::Status(self.people.status())).await,
            Command::Alarms { also } => {
                let alarms = self.people.alarms(also.as_deref());
                let next = u64::try_from(alarms.len()).unwrap_or(u64::MAX);
                for alarm in alarms {
                    client.say(&Answer::Alarm(alarm)).await?;
                }
                client.say(&Answer::End { next }).await
            }
            Command::Alarm { id, verb } => client.say(&self.ask_about(&id, verb, uid).await).await,
            Command::Sequences {} => {
                let sequences = self.people.sequences();
                let next = u64::try_from(sequences.len()).unwrap_or(u64::MAX);
                for sequence in sequences {
                    client.say(&Answer::Sequence(sequence)).await?;
                }
                client.say(&Answer::End { next }).await
            }
            Command::Sequence { id, verb } => {
                let answer = match uid {
                    Some(uid) => self.people.ask_sequence(who::operator(uid), &id, verb).await,
                    None => nobody(),
                };
                client.say(&answer).await
            }
            Command::Follow { id } => match self.people.sequence_of(&id) {
                Ok(sequence) => follow(&self.people, sequence, client).await,
                Err(answer) => client.say(&answer).await,
            },
            Command::Links {} => client.say(&Answer::Links(self.entries.to_vec())).await,
            Command::Ask { link, unit, request } => {
                let answer = match request.request() {
                    Some(request) => self.ask(&link, unit, request).await,
                    None => Answer::Error(
                        "one read takes 1 to 125 registers, or 1 to 2000 bits, below address 65536"
                            .to_owned(),
                    ),
                };
                client.say(&answer).await
            }
            Command::Frames { link, since, follow } => match self.links.log_of(&link) {
                Some(log) => send_frames(&log, since, follow, client).await,
                None => client.say(&self.no_link(&link)).await,
            },
            Command::Record {} => match &self.recordings {
                Some(recordings) => recordings.send(client).await,
                None => client.say(&Answer::Error("nothing can be recorded here".to_owned())).await,
            },
        }
    }

    /// Nothing is asked in nobody's name.
    async fn ask_about(&self, id: &str, verb: AlarmVerb, uid: Option<u32>) -> Answer {
        match uid {
            Some(uid) => self.people.ask(who::operator(uid), id, verb).await,
            None => nobody(),
        }
    }

    async fn ask(&self, link: &str, unit: u8, request: Request) -> Answer {
        let asked = self.links.question(link, unit, request);
        match tokio::time::timeout(ANSWER_MAX, asked).await {
            Ok(Ok(reply)) => Answer::of(reply),
            Ok(Err(AskFault::Failed(fault))) => Answer::Fault(fault.into()),
            Ok(Err(AskFault::NoSuchLink)) => self.no_link(link),
            Ok(Err(AskFault::Busy)) => Answer::Busy("the link is busy with other questions".to_owned()),
            Ok(Err(AskFault::Writes)) => Answer::Error("nothing can be written here".to_owned()),
            Err(_) => Answer::Busy(format!("no answer from the link within {} s", ANSWER_MAX.as_secs())),
        }
    }

    fn no_link(&self, link: &str) -> Answer {
        let names: Vec<&str> = self.entries.iter().map(|entry| entry.id.as_str()).collect();
        Answer::Error(format!("no link `{link}`; there are: {}", names.join(", ")))
    }
}

fn nobody() -> Answer {
    Answer::Error("the system does not say who asks: nothing was asked".to_owned())
}

/// Tells what happens to a sequence, until the client hangs up.
async fn follow(people: &People, id: SequenceId, client: &mut Talk) -> io::Result<()> {
    let begun = clock::uptime();
    let mut ear = people.ear();
    if let Some(now) = people.sequences().into_iter().nth(id.index()) {
        client.say(&Answer::Sequence(now)).await?;
    }
    loop {
        let heard = tokio::select! {
            () = client.gone() => return Err(io::ErrorKind::ConnectionAborted.into()),
            heard = ear.recv() => heard,
        };
        match heard {
            Ok(publication) => {
                for happened in people.happened(&publication, id) {
                    client.say(&Answer::Happened(happened)).await?;
                }
            }
            Err(RecvError::Lagged(missed)) => {
                let sentence = format!("{missed} publications were missed: what follows has a gap");
                client.say(&Answer::Busy(sentence)).await?;
            }
            Err(RecvError::Closed) => return client.say(&Answer::End { next: 0 }).await,
        }
        if FOLLOW_MAX < clock::uptime().since(begun) {
            return client.say(&Answer::End { next: 0 }).await;
        }
    }
}

async fn send_frames(log: &FrameLog, since: u64, follow: bool, client: &mut Talk) -> io::Result<()> {
    let begun = clock::uptime();
    let mut next = since;
    loop {
        for frame in log.since(next) {
            next = frame.number + 1;
            let (number, wall_us, sent) = (frame.number, frame.wall_us, frame.sent);
            client.say(&Answer::Frame(FrameEntry { number, wall_us, sent, hex: hex(&frame.bytes) })).await?;
        }
        if !follow || FOLLOW_MAX < clock::uptime().since(begun) {
            // A number from before a restart would be past the end.
            return client.say(&Answer::End { next: log.next() }).await;
        }
        tokio::select! {
            () = client.gone() => return Err(io::ErrorKind::ConnectionAborted.into()),
            () = tokio::time::sleep(FRAMES_EVERY) => {}
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
