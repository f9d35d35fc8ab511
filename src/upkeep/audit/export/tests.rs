//! Tests of the export to files and sockets, including destinations that hang or close.

use super::*;
use std::sync::mpsc::channel;
use std::thread::Builder;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener};

use keyhouse_storage::MemoryStore;
use serde_json::Value;

use crate::clock::ManualClock;
use crate::model::retention::Retention;
use crate::records::event::tests::event;
use crate::upkeep::audit::seal::Sealer;

/// A growing log and its export.
struct Log {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    sealer: Sealer,
    exported: Arc<Exported>,
    work: ExportWork,
    events: Vec<String>,
}

impl Log {
    fn exported_to(destination: &str) -> Self {
        let store = Arc::new(MemoryStore::new());
        let clock = Arc::new(ManualClock::at("2027-01-31T12:00:00Z".parse().unwrap()));
        let random = rand::SeedableRng::from_rng(&mut rand::rng());
        let mut sealer = Sealer::new(
            Arc::clone(&store) as Arc<dyn Store>,
            Arc::clone(&clock) as Arc<dyn Clock>,
            random,
            Retention::default(),
        );
        sealer.begin().unwrap();
        let exported = Arc::<Exported>::default();
        let work = work(&store, &clock, &exported, destination);
        Self { store, clock, sealer, exported, work, events: Vec::new() }
    }

    /// Writes events, each under a seal of its own.
    fn make(&mut self, count: usize) {
        for _ in 0..count {
            let event = event(self.clock.now().wall);
            let event = EventRecord { target: "key_1\u{9b}31m".to_owned(), ..event };
            let place = StoreKey::Event(event.id);
            let batch = Batch::new().put(place.to_bytes(), encode(&place, &event).unwrap());
            self.store.commit(batch).unwrap();
            self.events.push(event.id.to_string());
            self.clock.advance(Duration::from_secs(1));
            self.sealer.turn(Duration::from_millis(1));
        }
    }

    /// Starts another process that continues the export.
    fn restart(&mut self) {
        let destination = self.work.destination.to_string();
        self.work = work(&self.store, &self.clock, &self.exported, &destination);
    }

    /// Runs turns until all seals are sent. Failed turns are retried.
    fn send_all(&mut self) {
        while match self.work.turn() {
            Ok(more) => more,
            Err(error) => {
                self.work.failed(&error);
                true
            },
        } {}
    }

    /// Keeps the connection open until the sent entries count as delivered.
    fn settle(&mut self) {
        self.clock.advance(SETTLE_AFTER);
        assert!(!self.work.turn().unwrap());
    }

    fn lag(&self) -> Duration {
        self.exported.now(self.clock.now().wall).lag
    }
}

fn work(
    store: &Arc<MemoryStore>,
    clock: &Arc<ManualClock>,
    exported: &Arc<Exported>,
    destination: &str,
) -> ExportWork {
    let destination = destination.parse().unwrap();
    ExportWork::new(
        Arc::clone(store) as Arc<dyn Store>,
        Arc::clone(clock) as Arc<dyn Clock>,
        Arc::clone(exported),
        destination,
    )
}

/// Returns the JSON of a syslog message with a valid RFC 5424 header.
fn body(message: &str) -> Value {
    let mut parts = message.splitn(8, ' ');
    let mut part = || parts.next().unwrap_or_else(|| panic!("{message}"));
    assert_eq!(part(), "<109>1");
    let at: Moment = part().parse().unwrap();
    assert!(part().bytes().all(|byte| byte.is_ascii_graphic()));
    assert_eq!(part(), "keyhouse");
    assert_eq!(part(), std::process::id().to_string());
    let kind = part().to_owned();
    assert_eq!(part(), "-");
    let text = part();
    assert!(text.chars().all(|character| !character.is_control()), "{text:?}");
    let body: Value = serde_json::from_str(text).unwrap();
    assert_eq!(body["at"], at.to_string());
    assert_eq!(kind, if body["type"] == "head" { "audit.head" } else { "key.create" });
    body
}

/// Returns the ids of events in their order, and the numbers of heads.
fn reported(bodies: &[Value]) -> (Vec<String>, Vec<u64>) {
    let ids = bodies.iter().filter_map(|body| body["id"].as_str().map(str::to_owned));
    (ids.collect(), bodies.iter().filter_map(|body| body["number"].as_u64()).collect())
}

fn lines(path: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_file_gets_a_line_an_event_and_a_head_and_survives_a_rename_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("audit.jsonl"), folder.path().join("audit.jsonl.1"));
    let mut log = Log::exported_to(&format!("file:{}", path.display()));
    log.make(3);
    log.send_all();
    let (events, heads) = reported(&lines(&path));
    assert_eq!((events, heads), (log.events.clone(), vec![1, 2, 3]));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("key_1\\u009b31m"), "{text}");

    fs::rename(&path, &moved).unwrap();
    log.make(2);
    log.send_all();
    assert_eq!(reported(&lines(&path)), (log.events[3..].to_vec(), vec![4, 5]));
    assert_eq!(reported(&lines(&moved)).1, [1, 2, 3]);

    // A power cut left an incomplete line.
    fs::write(&path, "{\"type\":\"ev").unwrap();
    log.make(1);
    log.restart();
    log.send_all();
    let text = fs::read_to_string(&path).unwrap();
    let mut rest = text.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(rest.next().unwrap()["id"], *log.events[5]);
    assert_eq!(rest.next().unwrap()["number"], 6);
    assert!(rest.next().is_none(), "what was delivered is not sent again");
    let now = log.exported.now(log.clock.now().wall);
    assert_eq!((now.last_seal, now.failures, now.lag), (6, 0, Duration::ZERO));
}

#[test]
fn another_destination_gets_all_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let to = |name: &str| format!("file:{}", folder.path().join(name).display());
    let mut log = Log::exported_to(&to("one"));
    log.make(2);
    log.send_all();
    log.work = work(&log.store, &log.clock, &log.exported, &to("two"));
    log.send_all();
    assert_eq!(reported(&lines(&folder.path().join("two"))).0, log.events);
}

#[test]
fn a_destination_that_is_not_a_file_is_rejected_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::exported_to(&format!("file:{}", folder.path().display()));
    log.make(1);
    let error = log.work.turn().unwrap_err();
    log.work.failed(&error);
    log.clock.advance(Duration::from_mins(1));
    let now = log.exported.now(log.clock.now().wall);
    assert_eq!((now.failures, now.lag), (1, Duration::from_mins(1)));
}

#[test]
fn a_datagram_socket_gets_messages_and_one_that_is_gone_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut log = Log::exported_to(&format!("syslog:unix:{}", path.display()));
    log.make(2);
    let error = log.work.turn().unwrap_err();
    log.work.failed(&error);
    let socket = UnixDatagram::bind(&path).unwrap();
    log.send_all();
    let receive = |socket: &UnixDatagram| {
        let mut bytes = vec![0; 1 << 16];
        let length = socket.recv(&mut bytes).unwrap();
        body(str::from_utf8(&bytes[..length]).unwrap())
    };
    let bodies: Vec<_> = (0..4).map(|_| receive(&socket)).collect();
    assert_eq!(reported(&bodies), (log.events.clone(), vec![1, 2]));
    // The syslog daemon starts again, with a new socket.
    drop(socket);
    fs::remove_file(&path).unwrap();
    log.make(1);
    let error = log.work.turn().unwrap_err();
    log.work.failed(&error);
    let socket = UnixDatagram::bind(&path).unwrap();
    log.send_all();
    let bodies: Vec<_> = (0..2).map(|_| receive(&socket)).collect();
    assert_eq!(reported(&bodies), (log.events[2..].to_vec(), vec![3]));
}

#[test]
fn a_stream_socket_gets_a_line_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let listener = UnixListener::bind(&path).unwrap();
    let mut log = Log::exported_to(&format!("syslog:unix:{}", path.display()));
    log.make(2);
    log.send_all();
    let (stream, _) = listener.accept().unwrap();
    let lines = BufReader::new(stream).lines().take(4);
    let bodies: Vec<_> = lines.map(|line| body(&line.unwrap())).collect();
    assert_eq!(reported(&bodies), (log.events.clone(), vec![1, 2]));
}

/// Returns the next message with octet counting.
fn counted(stream: &mut BufReader<TcpStream>) -> Value {
    let mut count = Vec::new();
    stream.read_until(b' ', &mut count).unwrap();
    let count: usize = str::from_utf8(&count).unwrap().trim_end().parse().unwrap();
    let mut message = vec![0; count];
    stream.read_exact(&mut message).unwrap();
    body(str::from_utf8(&message).unwrap())
}

#[test]
fn a_tcp_receiver_that_closes_gets_all_that_was_not_settled_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut log = Log::exported_to(&format!("syslog:tcp://{address}"));
    log.make(2);
    log.send_all();
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    let bodies: Vec<_> = (0..4).map(|_| counted(&mut stream)).collect();
    assert_eq!(reported(&bodies), (log.events.clone(), vec![1, 2]));
    log.settle();
    log.settle();
    log.make(2);
    log.send_all();
    // The receiver closes with two of four messages unread.
    assert_eq!(counted(&mut stream)["id"], *log.events[2]);
    drop(stream);
    while log.work.turn().is_ok() {}
    log.work.failed(&ExportError::Sink(std::io::ErrorKind::ConnectionReset.into()));
    log.send_all();
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    let bodies: Vec<_> = (0..4).map(|_| counted(&mut stream)).collect();
    assert_eq!(reported(&bodies), (log.events[2..].to_vec(), vec![3, 4]));
    // A restart before the messages count as delivered sends the messages again. A later restart
    // does not.
    log.restart();
    log.send_all();
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    assert_eq!(counted(&mut stream)["id"], *log.events[2]);
    log.settle();
    log.settle();
    log.restart();
    log.make(1);
    log.send_all();
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    assert_eq!(counted(&mut stream)["id"], *log.events[4]);
}

/// The receiver accepts the connection and reads nothing. Sealing continues, a stop does not wait,
/// and unread entries do not count as delivered.
#[test]
fn a_receiver_that_hangs_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut log = Log::exported_to(&format!("syslog:unix:{}", path.display()));
    // The log has more entries than the receiver's queue holds.
    log.make(400);
    let replacement = work(&log.store, &log.clock, &log.exported, "file:/nowhere/at/all");
    let hanging = std::mem::replace(&mut log.work, replacement);
    let destination = hanging.destination.clone();
    let (end, ended) = channel();
    let halt = Arc::clone(&hanging.halt);
    let run = move || {
        hanging.run();
        end.send(()).unwrap();
    };
    let exporter = Exporter { worker: Worker::halted_by(halt, "export", run).unwrap() };
    log.make(5);
    assert_eq!(log.sealer.head.number, 405, "sealing goes on");
    exporter.stop();
    assert!(log.exported.now(log.clock.now().wall).last_seal < 405);
    // The next process sends all remaining entries as they are read.
    log.work = work(&log.store, &log.clock, &log.exported, &destination.to_string());
    let read = move || {
        let (mut bytes, mut ids) = (vec![0; 1 << 16], std::collections::HashSet::new());
        // The last exported message is a head. If the socket closed before the head arrived, the
        // loop would not end.
        let mut head = 0;
        while head < 405 {
            let length = socket.recv(&mut bytes).unwrap();
            let body = body(str::from_utf8(&bytes[..length]).unwrap());
            ids.extend(body["id"].as_str().map(str::to_owned));
            head = body["number"].as_u64().unwrap_or(head);
        }
        ids
    };
    let reader = Builder::new().name("receiver".to_owned()).spawn(read).unwrap();
    log.send_all();
    let ids = reader.join().unwrap();
    ended.recv().unwrap();
    assert!(log.events.iter().all(|id| ids.contains(id)));
    assert_eq!(log.lag(), Duration::ZERO);
}
