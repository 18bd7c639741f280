//! Connections: how many, how long, and what ends them.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::safety::fact::Input;

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    _facts: broadcast::Sender<Arc<Publication>>,
    inputs: mpsc::Receiver<Vec<Input>>,
}

async fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (facts, hearing) = broadcast::channel(8);
    let stop = CancellationToken::new();
    let (inbox, inputs) = mpsc::channel(8);
    let task = crate::nut::serve(listener, options(address), site(), hearing, inbox, false, &stop);
    Server { address, stop, task, _facts: facts, inputs }
}

async fn ask(client: &mut BufReader<TcpStream>, line: &str) -> String {
    client.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_line(&mut answer).await.unwrap();
    answer
}

async fn connect(server: &Server) -> BufReader<TcpStream> {
    BufReader::new(TcpStream::connect(server.address).await.unwrap())
}

/// Whether the server has closed this connection.
async fn is_closed(client: &mut BufReader<TcpStream>) -> bool {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), client.read_to_end(&mut rest)).await;
    read.is_ok()
}

#[tokio::test]
async fn idle_sockets_give_way_and_machines_that_logged_in_stay() {
    let server = server().await;
    let mut machine = connect(&server).await;
    assert_eq!(ask(&mut machine, "USERNAME small").await, "OK\n");
    assert_eq!(ask(&mut machine, "PASSWORD correct-horse").await, "OK\n");
    assert_eq!(ask(&mut machine, "LOGIN ups-a").await, "OK\n");
    let mut first = connect(&server).await;
    assert_eq!(ask(&mut first, "NETVER").await, "1.3\n");
    let mut others = Vec::new();
    for _ in 0..20 {
        let mut other = connect(&server).await;
        assert_eq!(ask(&mut other, "NETVER").await, "1.3\n");
        others.push(other);
    }
    assert!(is_closed(&mut first).await);
    assert_eq!(ask(&mut machine, "GET NUMLOGINS ups-a").await, "NUMLOGINS ups-a 1\n");
}

#[tokio::test(start_paused = true)]
async fn the_core_is_told_how_many_machines_are_left() {
    let mut server = server().await;
    let mut count = async || match server.inputs.recv().await.unwrap().as_slice() {
        [Input::Logins { ups, count, .. }] if &**ups == "ups-a" => *count,
        other => panic!("{other:?}"),
    };
    assert_eq!(count().await, 0);
    let mut machine = BufReader::new(TcpStream::connect(server.address).await.unwrap());
    for line in ["USERNAME small", "PASSWORD correct-horse", "LOGIN ups-a"] {
        assert_eq!(ask(&mut machine, line).await, "OK\n");
    }
    while count().await == 0 {}
    drop(machine);
    while count().await == 1 {}
}

#[tokio::test]
async fn a_line_too_long_or_no_text_ends_the_connection_and_nothing_else() {
    let server = server().await;
    let mut other = connect(&server).await;
    assert_eq!(ask(&mut other, "VER").await.split(' ').next(), Some("emberwatch"));
    for bytes in [vec![b'x'; 4096], b"GET \xff\n".to_vec(), b"LOGOUT\n".to_vec()] {
        let mut client = connect(&server).await;
        let _may_be_closed_already = client.write_all(&bytes).await;
        assert!(is_closed(&mut client).await);
    }
    assert_eq!(ask(&mut other, "NETVER").await, "1.3\n");
    server.stop.cancel();
    server.task.await.unwrap();
    assert!(is_closed(&mut other).await);
}

#[tokio::test]
async fn wrong_passwords_wait_and_then_end_the_connection() {
    tokio::time::pause();
    let server = server().await;
    let mut client = connect(&server).await;
    assert_eq!(ask(&mut client, "USERNAME small").await, "OK\n");
    assert_eq!(ask(&mut client, "PASSWORD guess-number-1").await, "OK\n");
    for _ in 0..crate::nut::WRONG_MAX {
        assert_eq!(ask(&mut client, "LOGIN ups-a").await, "ERR ACCESS-DENIED\n");
    }
    assert!(is_closed(&mut client).await);
}
