//! Both ends of the socket, with links that say what a test wants.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::super::client::{CallFault, Client};
use super::super::socket_in;
use super::*;
use crate::exchange::Publication;
use crate::field::ask::Asker as _;
use crate::field::options::Endpoint;
use crate::field::profile::Table;
use crate::metrics::Sources;
use crate::runtime::Ears;
use crate::safety::Safety;
use crate::safety::fact::{Input, Output};
use crate::safety::memory::Memory;
use crate::safety::reading::ReadFault;
use crate::units::ClockSync;
use crate::wire::testsite;
use tokio::sync::{broadcast, mpsc};

/// One link, `room`: unit 1 holds its addresses, unit 2 is silent, unit 3 is busy for ever.
#[derive(Default)]
struct Double {
    log: FrameLog,
}

impl Links for Double {
    async fn question(&self, link: &str, unit: u8, request: Request) -> Result<Reply, AskFault> {
        if link != "room" {
            return Err(AskFault::NoSuchLink);
        }
        match (unit, request) {
            (1, Request::Read { address, count, .. }) => {
                self.log.push(true, &[1]);
                Ok(Reply::Words((address..address + count).collect()))
            }
            (1, Request::ServerId) => Ok(Reply::ServerId(vec![1, 0xFF])),
            (1, Request::DeviceId { .. }) => {
                Ok(Reply::DeviceId { objects: vec![(0, b"Ember".to_vec())], more: Some(2) })
            }
            (3, _) => Err(AskFault::Busy),
            _ => Err(AskFault::Failed(ReadFault::Timeout)),
        }
    }

    fn log_of(&self, link: &str) -> Option<FrameLog> {
        (link == "room").then(|| self.log.clone())
    }
}

/// What people see and ask, with a core behind it that knows one alarm.
fn people(stop: &CancellationToken) -> Arc<People> {
    let site = testsite::shared();
    let (inbox, mut inputs) = mpsc::channel::<Vec<Input>>(8);
    let (facts, _) = broadcast::channel(64);
    let (boot, stop) = ("B1".to_owned(), stop.clone());
    let ears = Ears {
        facts: facts.clone(),
        site: Arc::clone(&site),
        inbox,
        boot,
        sources: Sources::default(),
        stop,
    };
    let people = Arc::new(People::new(ears));
    tokio::spawn(Arc::clone(&people).hear(facts.subscribe()));
    tokio::spawn(async move {
        let mut core = Safety::new(site, &Memory::default(), clock::now());
        let mut number = 0;
        while let Some(batch) = inputs.recv().await {
            let (mut out, now) = (Vec::new(), clock::now());
            core.scan(now, &batch, &mut out);
            let facts_of = out.into_iter().filter_map(|output| match output {
                Output::Fact(fact) => Some(fact),
                Output::Order(_) => None,
            });
            number += 1;
            let _ = facts.send(Arc::new(Publication {
                number,
                now,
                clock: ClockSync::Unknown,
                facts: facts_of.collect(),
            }));
        }
    });
    people
}

struct Bench {
    dir: tempfile::TempDir,
    log: FrameLog,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Bench {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = LinkOptions {
            name: "room".to_owned(),
            endpoint: Endpoint::tcp("192.0.2.10:502".to_owned()),
            timeout: Millis(500),
            connect_timeout: Millis(500),
            pipeline: 1,
            ignore_transaction_ids: false,
            devices: Vec::new(),
        };
        let double = Double::default();
        let (log, stop) = (double.log.clone(), CancellationToken::new());
        let served = Served::new(Arc::new(double), &[options], people(&stop), None);
        let listening = Listening::start(socket_in(dir.path())).await.unwrap();
        let task = tokio::spawn(listening.serve(served, stop.clone()));
        Self { dir, log, stop, task }
    }

    async fn client(&self) -> Client {
        Client::connect(&socket_in(self.dir.path())).await.unwrap().on("room".to_owned())
    }

    /// Says this, and returns the line that comes back.
    async fn raw(&self, line: &[u8]) -> String {
        let mut stream = UnixStream::connect(socket_in(self.dir.path())).await.unwrap();
        stream.write_all(line).await.unwrap();
        let mut heard = String::new();
        BufReader::new(stream).read_line(&mut heard).await.unwrap();
        heard
    }
}

#[tokio::test]
async fn a_client_reads_through_the_link_and_learns_why_it_cannot() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let links = client.links().await.unwrap();
    assert_eq!(
        (links[0].id.as_str(), links[0].places.as_slice()),
        ("room", &["192.0.2.10:502".to_owned()][..])
    );
    assert_eq!(client.read(1, Table::Holding, 100, 3).await, Ok(vec![100, 101, 102]));
    assert_eq!(client.ask(1, &Request::ServerId).await, Ok(Reply::ServerId(vec![1, 0xFF])));
    let id = client.ask(1, &Request::DeviceId { level: 1, object: 0 }).await;
    assert_eq!(id, Ok(Reply::DeviceId { objects: vec![(0, b"Ember".to_vec())], more: Some(2) }));
    assert_eq!(client.read(2, Table::Holding, 0, 1).await, Err(ReadFault::Timeout));
    assert_eq!(client.trouble(), None);
    let mut client = client.on("attic".to_owned());
    assert_eq!(client.read(1, Table::Holding, 0, 1).await, Err(ReadFault::Disconnected));
    assert_eq!(client.trouble(), Some("no link `attic`; there are: room"));
}

#[tokio::test]
async fn frames_come_once_those_kept_first_and_then_as_they_pass() {
    let bench = Bench::start().await;
    bench.log.push(true, &[1, 2]);
    bench.log.push(false, &[3]);
    let mut client = bench.client().await;
    let (frames, next) = client.frames_since(1).await.unwrap();
    assert_eq!((frames.len(), frames[0].bytes.as_slice(), next), (1, &[3][..], 2));
    client.begin_frames(0, true).await.unwrap();
    assert_eq!(client.frame().await.unwrap().unwrap().bytes, [1, 2]);
    assert_eq!(client.frame().await.unwrap().unwrap().bytes, [3]);
    bench.log.push(true, &[4]);
    assert_eq!(client.frame().await.unwrap().unwrap().number, 2);
}

#[tokio::test]
async fn what_is_no_request_is_told_so_and_nothing_is_unbounded() {
    let bench = Bench::start().await;
    assert!(bench.raw(b"hello\n").await.contains("not a request"));
    let write = br#"{"command":"ask","link":"room","unit":1,"request":{"write":{"coil":1}}}"#;
    assert!(bench.raw(&[write, &b"\n"[..]].concat()).await.contains("not a request"));
    let long = br#"{"command":"ask","link":"room","unit":1,"request":{"read":{"table":"coil","address":0,"count":2001}}}"#;
    assert!(bench.raw(&[long, &b"\n"[..]].concat()).await.contains("one read takes"));
    assert!(bench.raw(&[b'x'; 9000]).await.contains("one line of at most"));
    let mut others = Vec::new();
    for _ in 0..CLIENTS_MAX {
        let mut client = bench.client().await;
        client.links().await.unwrap();
        others.push(client);
    }
    let refused = bench.client().await.links().await;
    assert!(matches!(refused, Err(CallFault::Refused(_) | CallFault::Io(_))), "{refused:?}");
}

/// Asks until the view has what was told.
async fn alarm_in(client: &mut Client, id: &str, state: &str) -> serde_json::Value {
    for _ in 0..1000 {
        let alarms = client.alarms(Some(id)).await.unwrap();
        if let Some(alarm) = alarms.into_iter().find(|alarm| alarm["id"] == id && alarm["state"] == state) {
            return alarm;
        }
        tokio::task::yield_now().await;
    }
    panic!("{id} is not {state}");
}

#[tokio::test]
async fn a_person_shelves_in_their_own_name_and_is_told_why_not() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let shelve = |for_ms| AlarmVerb::Shelve { for_ms, one_shot: false, occurrence: None };
    let by = client.alarm("cell-temp", shelve(60_000)).await.unwrap().by;
    assert_eq!(by, *who::operator(rustix::process::getuid().as_raw()));
    let alarm = alarm_in(&mut client, "cell-temp", "shelved").await;
    assert_eq!((&alarm["away"]["by"], &alarm["away"]["one_shot"]), (&by.as_str().into(), &false.into()));
    assert!(alarm["shelved_until"].is_string());
    let status = client.status().await.unwrap();
    assert_eq!((&status["site"], &status["rooms"][0]["put_away"]["shelved"]), (&"s1".into(), &1.into()));
    assert_eq!(status["alarm_figures"]["shelved"], 1);
    client.alarm("cell-temp", AlarmVerb::Unshelve {}).await.unwrap();
    alarm_in(&mut client, "cell-temp", "normal").await;

    let declined = client.alarm("cutting-rack-1", shelve(60_000)).await.unwrap_err();
    assert!(matches!(&declined, CallFault::Declined(why) if why.contains("life safety")), "{declined:?}");
    let declined = client.alarm("cell-temp", shelve(u64::MAX)).await.unwrap_err();
    assert!(matches!(&declined, CallFault::Declined(why) if why.contains("longer")), "{declined:?}");
    let unknown = client.alarm("attic", AlarmVerb::InService {}).await.unwrap_err();
    assert!(matches!(&unknown, CallFault::Refused(why) if why.contains("no alarm `attic`")), "{unknown:?}");
    let reason = "x".repeat(201);
    let long = client.alarm("cell-temp", AlarmVerb::OutOfService { reason }).await.unwrap_err();
    assert!(matches!(&long, CallFault::Declined(why) if why.contains("at most 200")), "{long:?}");
}

#[tokio::test]
async fn the_socket_goes_with_the_daemon() {
    let bench = Bench::start().await;
    let path = socket_in(bench.dir.path());
    assert!(path.exists());
    bench.stop.cancel();
    bench.task.await.unwrap();
    assert!(!path.exists());
    assert!(matches!(Client::connect(&path).await, Err(CallFault::Nobody(_))));
}
