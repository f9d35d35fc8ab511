//! The members of the cluster: one is in use, and the next one after an error.
//!
//! A client of several endpoints goes on choosing a dead member for a part of all calls. So each member
//! has clients of its own: one for calls, and one for watches, which a large page must not delay.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Error, Identity, TlsOptions};
use keyhouse_storage::Cause;
use tokio::time::timeout;

use crate::deadline::WaitLimit;
use crate::fault::EtcdFault;
use crate::settings::{EtcdSettings, read_file, read_secret};

/// The longest wait for one member's answer. etcd itself gives up a write after 7 s.
pub(crate) const CALL_TIME: Duration = Duration::from_secs(2);
/// The time after which a read asks no further member.
const READ_TIME: Duration = Duration::from_secs(6);
/// The interval of HTTP/2 pings. etcd ends connections with more than one ping in 5 s.
const PING_INTERVAL: Duration = Duration::from_secs(6);
const _: () = assert!(PING_INTERVAL.as_secs() > 5);
const PING_TIME: Duration = Duration::from_secs(2);

/// The clients of all members.
pub(crate) struct Members {
    settings: EtcdSettings,
    each: Vec<Member>,
    current: AtomicUsize,
}

struct Member {
    endpoint: String,
    calls: tokio::sync::Mutex<Option<Client>>,
    watches: tokio::sync::Mutex<Option<Client>>,
}

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Call,
    Watch,
}

impl Members {
    pub(crate) fn new(settings: EtcdSettings) -> Self {
        let member = |endpoint: &String| Member {
            endpoint: endpoint.clone(),
            calls: tokio::sync::Mutex::default(),
            watches: tokio::sync::Mutex::default(),
        };
        let each = settings.endpoints.iter().map(member).collect();
        Self { settings, each, current: AtomicUsize::new(0) }
    }

    pub(crate) const fn count(&self) -> usize {
        self.each.len()
    }

    /// The number of the member in use.
    pub(crate) fn current(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    pub(crate) fn name(&self, number: usize) -> &str {
        self.member(number).map_or("", |member| &member.endpoint)
    }

    /// Leaves a member, unless another caller has already left it.
    pub(crate) fn leave(&self, number: usize) {
        if self.current() == number {
            self.current.store((number + 1) % self.count().max(1), Ordering::Relaxed);
        }
    }

    fn member(&self, number: usize) -> Option<&Member> {
        self.each.get(number)
    }

    /// Sends a request to one member.
    pub(crate) async fn ask<T, R>(
        &self,
        number: usize,
        purpose: Purpose,
        request: impl FnOnce(Client) -> R,
    ) -> Result<T, EtcdFault>
    where
        R: Future<Output = Result<T, Error>>,
    {
        let client = self.client(number, purpose).await?;
        let fault = match timeout(CALL_TIME, request(client)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => EtcdFault::of(&error),
            Err(_) => {
                EtcdFault::Open(Cause::new(format!("{}: no answer in time", self.name(number))))
            },
        };
        if matches!(fault, EtcdFault::SignedOut(_)) {
            self.forget(number, purpose).await;
        }
        Err(fault)
    }

    /// Sends a read to the member in use, and to the next ones while members fail.
    pub(crate) async fn read<T, R>(&self, request: impl Fn(Client) -> R) -> Result<T, EtcdFault>
    where
        R: Future<Output = Result<T, Error>>,
    {
        let deadline = WaitLimit::after(READ_TIME);
        // One more attempt than members: the first may only show that a token has ended.
        let mut attempts = self.count() + 1;
        loop {
            let number = self.current();
            let fault = match self.ask(number, Purpose::Call, &request).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            attempts -= 1;
            if attempts == 0 || !fault.is_of_the_member() || deadline.is_over() {
                return Err(fault);
            }
            if !matches!(fault, EtcdFault::SignedOut(_)) {
                self.leave(number);
            }
        }
    }

    /// Sends a write. Another member gets it only if it is certain that the first has not.
    pub(crate) async fn write<T, R>(&self, request: impl Fn(Client) -> R) -> Result<T, EtcdFault>
    where
        R: Future<Output = Result<T, Error>>,
    {
        let mut attempts = self.count() + 1;
        loop {
            let number = self.current();
            let fault = match self.ask(number, Purpose::Call, &request).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            attempts -= 1;
            let is_certain = matches!(fault, EtcdFault::Unsent(_) | EtcdFault::SignedOut(_));
            if matches!(fault, EtcdFault::Unsent(_) | EtcdFault::Open(_)) {
                self.leave(number);
            }
            if !is_certain || attempts == 0 {
                return Err(fault);
            }
        }
    }

    async fn client(&self, number: usize, purpose: Purpose) -> Result<Client, EtcdFault> {
        let unknown = || EtcdFault::Unsent(Cause::new("no such member"));
        let member = self.member(number).ok_or_else(unknown)?;
        let mut place = member.place(purpose).lock().await;
        if let Some(client) = place.as_ref() {
            return Ok(client.clone());
        }
        let client = self.connect(&member.endpoint).await?;
        *place = Some(client.clone());
        Ok(client)
    }

    /// Creates a client. With a user, this signs in: about 100 ms of etcd's CPU time.
    async fn connect(&self, endpoint: &str) -> Result<Client, EtcdFault> {
        let options = self.options().map_err(|text| EtcdFault::Refused(Cause::new(text)))?;
        let scheme = if self.settings.tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{endpoint}");
        let fault = match timeout(CALL_TIME, Client::connect([url], Some(options))).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => EtcdFault::of(&error),
            Err(_) => EtcdFault::Unsent(Cause::new(format!("{endpoint}: no answer in time"))),
        };
        // The request itself has not been sent.
        Err(match fault {
            EtcdFault::Open(cause) | EtcdFault::SignedOut(cause) => EtcdFault::Unsent(cause),
            EtcdFault::Refused(cause) => {
                EtcdFault::Refused(Cause::new(format!("sign-in at {endpoint}: {cause}")))
            },
            EtcdFault::Compacted
            | EtcdFault::PageTooLarge
            | EtcdFault::Full(_)
            | EtcdFault::Unsent(_) => fault,
        })
    }

    /// Files are read for each new client, so that replaced certificates and passwords are used.
    fn options(&self) -> Result<ConnectOptions, String> {
        let mut options = ConnectOptions::new()
            .with_require_leader(true)
            .with_connect_timeout(CALL_TIME)
            .with_keep_alive(PING_INTERVAL, PING_TIME)
            .with_keep_alive_while_idle(true);
        if let Some(files) = &self.settings.tls {
            let authorities = Certificate::from_pem(read_file(&files.authorities)?);
            let mut tls = TlsOptions::new().ca_certificate(authorities);
            if let Some((certificate, key)) = &files.identity {
                tls = tls.identity(Identity::from_pem(read_file(certificate)?, read_secret(key)?));
            }
            options = options.with_tls(tls);
        }
        if let Some(user) = &self.settings.user {
            let bytes = read_secret(&user.password_file)?;
            let file = user.password_file.display();
            let text = String::from_utf8(bytes).map_err(|error| format!("{file}: {error}"))?;
            let password = text.lines().next().unwrap_or_default();
            options = options.with_user(user.name.clone(), password);
        }
        Ok(options)
    }

    /// Drops the client of a member, whose token has ended. The next call signs in without that token,
    /// because etcd refuses a sign-in with an ended one.
    pub(crate) async fn forget(&self, number: usize, purpose: Purpose) {
        if let Some(member) = self.member(number) {
            *member.place(purpose).lock().await = None;
        }
    }
}

impl Member {
    const fn place(&self, purpose: Purpose) -> &tokio::sync::Mutex<Option<Client>> {
        match purpose {
            Purpose::Call => &self.calls,
            Purpose::Watch => &self.watches,
        }
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Members").field(&self.settings.to_string()).finish()
    }
}
