//! A server that plays AWS (moto), with an account of 60 resources in 3 VPCs.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use keyhouse_diagrams::{Inventory, Resource, scan};

use crate::{aws_place, settings};

const REGION: &str = "eu-west-1";
/// Lines of the server's log before its address.
const LINES_MAX: usize = 50;

/// The server as a process. Dropping the value kills it.
struct Moto {
    child: Child,
    address: String,
    /// Kept open, so that the server can write its log.
    log: BufReader<ChildStderr>,
}

/// The names of what an inventory has, by id.
struct Names(BTreeMap<String, String>);

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Python with the packages of the tests. It gets no variables that could name another account.
fn python() -> Command {
    let python = checkout().join(".venv/bin/python");
    assert!(python.exists(), "./test makes .venv");
    let mut command = Command::new(python);
    command.env_clear().stdin(Stdio::null());
    command
}

impl Moto {
    fn start() -> Self {
        let mut command = python();
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut moto = Self { child, address: String::new(), log };
        let lines = moto.log.by_ref().lines().take(LINES_MAX).map(Result::unwrap);
        let address = |line: String| Some(line.split_once("Running on ")?.1.trim().to_owned());
        moto.address = { lines }.find_map(address).unwrap();
        moto
    }

    fn post(&self, target: &str) {
        let address = self.address.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    /// Creates the account. The ids are the same in each new server: a server that had resources creates its default
    /// networks before the seed.
    fn fill(&self) {
        self.post("/moto-api/reset");
        self.post("/moto-api/seed?a=42");
        let mut command = python();
        command.arg(checkout().join("examples/diagrams/tests/moto/account.py")).arg(&self.address);
        let ended = command.output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }

    fn scan(&self) -> Inventory {
        scan(&aws_place(), None, REGION, &settings(&self.address)).unwrap()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

impl Names {
    fn of(inventory: &Inventory) -> Self {
        let networks = inventory.networks.iter().map(|it| (&it.id, &it.name));
        let subnets = inventory.networks.iter().flat_map(|it| &it.subnets);
        let groups = inventory.groups.iter().map(|it| (&it.id, &it.name));
        let resources = inventory.resources.iter().map(|it| (&it.id, &it.name));
        let all = networks.chain(subnets.map(|it| (&it.id, &it.name)));
        let all = all.chain(groups).chain(resources);
        Self(all.map(|(id, name)| (id.clone(), name.clone())).collect())
    }

    /// A name, or an id that the inventory does not have.
    fn name<'a>(&'a self, id: &'a String) -> &'a str {
        self.0.get(id).unwrap_or(id)
    }

    fn sorted(&self, ids: &[String]) -> String {
        let mut names: Vec<&str> = ids.iter().map(|id| self.name(id)).collect();
        names.sort_unstable();
        names.join(" ")
    }

    /// One line with all that an inventory says about a resource.
    fn line(&self, resource: &Resource) -> String {
        let network = resource.network.as_ref().map_or("-", |id| self.name(id));
        let members: Vec<String> =
            resource.members.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let tags: Vec<String> =
            resource.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!(
            "{} {} | {} | {network} | {} | {} | {} | {}",
            resource.kind,
            resource.name,
            members.join(" "),
            self.sorted(&resource.subnets),
            self.sorted(&resource.groups),
            self.sorted(&resource.forwards_to),
            tags.join(" "),
        )
    }
}

/// An inventory with names in place of ids, in lines that are sorted.
fn described(inventory: &Inventory) -> String {
    let names = Names::of(inventory);
    let mut lines: Vec<String> = Vec::new();
    for network in &inventory.networks {
        let own = network.tags.contains_key("Name");
        let name = if own { network.name.as_str() } else { "the default network" };
        lines.push(format!("network {name} {} ({} subnets)", network.range, network.subnets.len()));
        for subnet in network.subnets.iter().filter(|_| own) {
            lines.push(format!("subnet {} {} {}", subnet.name, subnet.range, subnet.zone));
        }
    }
    for group in inventory.groups.iter().filter(|group| group.name != "default") {
        lines.push(format!("group {} accepts {}", group.name, names.sorted(&group.accepts_from)));
    }
    lines.extend(inventory.resources.iter().map(|resource| names.line(resource)));
    lines.sort_unstable();
    lines.into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[test]
fn a_scan_finds_what_is_in_the_account_and_finds_it_again() {
    let moto = Moto::start();
    moto.fill();
    let inventory = moto.scan();
    assert_eq!(inventory.account, "123456789012");
    assert_eq!(inventory.region, REGION);
    assert_eq!(inventory.resources.len(), 60);
    let approved = include_str!("../moto/inventory.txt");
    assert_eq!(described(&inventory), approved);
    let ids: Vec<&String> = inventory.resources.iter().map(|resource| &resource.id).collect();
    assert!(ids.is_sorted(), "{ids:?}");

    assert_eq!(moto.scan(), inventory, "a second scan of the same account");
    drop(moto);
    let again = Moto::start();
    again.fill();
    assert_eq!(again.scan(), inventory, "a scan of the account that was created again");
}
