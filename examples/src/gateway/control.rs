//! The Unix socket through which `gateway status` and the other commands reach a running gateway.
//!
//! One JSON line each way. The answer to `initiate` comes when the tunnel is up or has failed.

use super::status::Status;
use crate::process::socket::{self, SocketFile};
use mio::{
    Interest, Registry, Token,
    net::{UnixListener, UnixStream},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    time::Duration,
};

/// Clients at once.
const MAX_CLIENTS: usize = 16;
/// Longest request, octets.
const MAX_REQUEST: usize = 4096;

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Request {
    /// How is everything?
    Status,
    /// Negotiate a tunnel, or all of a peer.
    Initiate {
        /// Tunnel or peer.
        name: String,
    },
    /// Delete a tunnel's SAs, or a peer's.
    Delete {
        /// Tunnel or peer.
        name: String,
    },
    /// Negotiate a tunnel's SAs, or a peer's IKE SA, anew.
    Rekey {
        /// Tunnel or peer.
        name: String,
    },
    /// Send a peer to another gateway (RFC 5685).
    Redirect {
        /// Peer.
        name: String,
        /// The other gateway.
        to: std::net::IpAddr,
    },
    /// Agree with a peer on the counters that its SAs go on with (RFC 6311).
    Synchronize {
        /// Peer.
        name: String,
        /// Which takeover it is.
        epoch: u16,
        /// Sequence numbers to skip in what we send.
        skip: u64,
        /// Sequence numbers that the peer is asked to skip.
        peer_skip: u64,
    },
}

/// What the gateway answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It is done.
    Done(String),
    /// It is not done, and why.
    Failed(String),
    /// The status.
    Status(Box<Status>),
}

/// Which client asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(usize);

struct Client {
    stream: UnixStream,
    request: Vec<u8>,
    /// What is left of the answer.
    answer: Option<Vec<u8>>,
}

/// The listening end.
pub struct Control {
    _file: SocketFile,
    listener: UnixListener,
    clients: BTreeMap<ClientId, Client>,
    /// The listener's token; clients have the ones behind it.
    first: usize,
    next: usize,
}

impl Control {
    /// Listens at `path`, which only its owner can reach. A socket nobody listens on any more is replaced.
    ///
    /// # Errors
    /// Another process listens there, or the path cannot be used: see [`socket::listen`].
    pub fn listen(path: &Path, registry: &Registry, first: Token) -> io::Result<Self> {
        let (listener, file) = socket::listen(path)?;
        let mut listener = UnixListener::from_std(listener);
        registry.register(&mut listener, first, Interest::READABLE)?;
        Ok(Self {
            listener,
            _file: file,
            clients: BTreeMap::new(),
            first: first.0,
            next: first.0,
        })
    }

    /// Handles readiness of one of its tokens; gives the requests that are complete.
    ///
    /// # Errors
    /// The listener's.
    pub fn ready(
        &mut self,
        token: Token,
        registry: &Registry,
    ) -> io::Result<Vec<(ClientId, Request)>> {
        if token.0 == self.first {
            self.accept(registry)?;
            return Ok(Vec::new());
        }
        let id = ClientId(token.0);
        let Some(client) = self.clients.get_mut(&id) else {
            return Ok(Vec::new());
        };
        if client.answer.is_some() {
            if !client.write() {
                self.clients.remove(&id);
            }
            return Ok(Vec::new());
        }
        match client.read() {
            Ok(None) => Ok(Vec::new()),
            Ok(Some(request)) => Ok(vec![(id, request)]),
            Err(e) => {
                if e.kind() == io::ErrorKind::InvalidData {
                    self.reply(id, &Reply::Failed(e.to_string()), registry);
                } else {
                    self.clients.remove(&id);
                }
                Ok(Vec::new())
            }
        }
    }

    /// Answers, as fast as the client reads, and hangs up.
    pub fn reply(&mut self, id: ClientId, reply: &Reply, registry: &Registry) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let mut line = serde_json::to_vec(reply).unwrap_or_default();
        line.push(b'\n');
        client.answer = Some(line);
        let writable = registry.reregister(&mut client.stream, Token(id.0), Interest::WRITABLE);
        let waits = client.write();
        if !waits || writable.is_err() {
            self.clients.remove(&id);
        }
    }

    /// Whether the client still waits.
    #[must_use]
    pub fn waits(&self, id: ClientId) -> bool {
        self.clients.get(&id).is_some_and(|c| c.answer.is_none())
    }

    fn accept(&mut self, registry: &Registry) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            };
            if self.clients.len() >= MAX_CLIENTS {
                continue;
            }
            self.next += 1;
            registry.register(&mut stream, Token(self.next), Interest::READABLE)?;
            let client = Client {
                stream,
                request: Vec::new(),
                answer: None,
            };
            self.clients.insert(ClientId(self.next), client);
        }
    }
}

impl Client {
    /// Reads what is there; a request when its line is complete, an error when the client is done for.
    fn read(&mut self) -> io::Result<Option<Request>> {
        let mut chunk = [0; 1024];
        loop {
            let n = match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) => return Err(e),
            };
            self.request.extend(chunk.iter().take(n));
            if let Some(end) = self.request.iter().position(|b| *b == b'\n') {
                let line = self.request.drain(..=end).collect::<Vec<_>>();
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e));
            }
            if self.request.len() > MAX_REQUEST {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "request too long",
                ));
            }
        }
    }

    /// Writes as much of the answer as there is room for. Whether something is left, and somebody to read it.
    fn write(&mut self) -> bool {
        let rest = self.answer.get_or_insert_default();
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(n) => drop(rest.drain(..n)),
                Err(e) => return e.kind() == io::ErrorKind::WouldBlock,
            }
        }
        false
    }
}

/// Asks the gateway that listens at `path`.
///
/// # Errors
/// Nobody listens there, or no answer comes within `patience`.
pub fn ask(path: &Path, request: &Request, patience: Duration) -> io::Result<Reply> {
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    let mut stream = std::os::unix::net::UnixStream::connect(path).map_err(named)?;
    stream.set_read_timeout(Some(patience))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream)
        .read_line(&mut answer)
        .map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => {
                io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
            }
            _ => e,
        })?;
    if answer.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the gateway hung up",
        ));
    }
    serde_json::from_str(&answer).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll};

    #[test]
    fn a_request_is_answered_and_a_bad_one_refused() {
        let path = std::env::temp_dir().join(format!("control-{}.sock", std::process::id()));
        let mut poll = Poll::new().unwrap();
        let mut control = Control::listen(&path, poll.registry(), Token(10)).unwrap();
        let asked = Request::Initiate { name: "net".into() };
        // More than a socket's buffer takes.
        let long = "a long status ".repeat(100_000);
        let up = Reply::Done(long.clone());
        let client = std::thread::spawn({
            let (path, asked) = (path.clone(), asked.clone());
            move || {
                let mut bad = std::os::unix::net::UnixStream::connect(&path).unwrap();
                bad.write_all(b"{\"command\":\"reboot\"}\n").unwrap();
                let mut answer = String::new();
                BufReader::new(bad).read_line(&mut answer).unwrap();
                (answer, ask(&path, &asked, Duration::from_secs(5)).unwrap())
            }
        });
        let mut events = Events::with_capacity(8);
        while !client.is_finished() {
            poll.poll(&mut events, Some(Duration::from_millis(50)))
                .unwrap();
            for event in &events {
                for (id, request) in control.ready(event.token(), poll.registry()).unwrap() {
                    assert_eq!(request, asked);
                    assert!(control.waits(id));
                    control.reply(id, &up, poll.registry());
                    assert!(!control.waits(id));
                }
            }
        }
        let (refused, answer) = client.join().unwrap();
        assert!(
            refused.contains("failed") && refused.contains("reboot"),
            "{refused}"
        );
        assert_eq!(answer, Reply::Done(long));
        drop(control);
        assert!(!path.exists());
        let gone = ask(&path, &Request::Status, Duration::from_secs(1)).unwrap_err();
        assert!(gone.to_string().contains("control-"), "{gone}");
    }
}
