//! Something between the engine and its server that can cut a connection at the worst moment, or share the server's
//! connections among its clients as a transaction pooler does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;

/// Which words to wait for.
#[derive(Default)]
struct Plan {
    asked: Option<Vec<u8>>,
    answered: Option<Vec<u8>>,
}

fn is_hit(word: &mut Option<Vec<u8>>, text: &[u8]) -> bool {
    word.take_if(|word| text.windows(word.len()).any(|window| window == word)).is_some()
}

pub struct Proxy {
    pub directory: PathBuf,
    plan: Arc<std::sync::Mutex<Plan>>,
    cuts: Arc<AtomicU32>,
    _runtime: Runtime,
}

impl Proxy {
    /// Passes everything on to the server in `to`, until told to cut.
    pub fn start(to: &Path) -> Proxy {
        Proxy::run(to, false)
    }

    /// A transaction pooler with a single server connection.
    pub fn pooler(to: &Path) -> Proxy {
        Proxy::run(to, true)
    }

    fn run(to: &Path, is_pooler: bool) -> Proxy {
        let directory = tempfile::Builder::new().prefix("currant-px-").tempdir_in("/tmp").expect("a directory").keep();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let plan = Arc::new(std::sync::Mutex::new(Plan::default()));
        let cuts = Arc::new(AtomicU32::new(0));
        let (to, at) = (to.join(".s.PGSQL.5432"), directory.join(".s.PGSQL.5432"));
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(&at).expect("a socket")
        };
        let (its_plan, its_cuts) = (Arc::clone(&plan), Arc::clone(&cuts));
        runtime.spawn(async move {
            let server = match is_pooler {
                true => Some(Arc::new(Mutex::new(Server::open(&to).await))),
                false => None,
            };
            while let Ok((client, _)) = listener.accept().await {
                match &server {
                    Some(server) => drop(tokio::spawn(share(client, Arc::clone(server)))),
                    None => {
                        let server = UnixStream::connect(&to).await.expect("the server");
                        tokio::spawn(pass(client, server, Arc::clone(&its_plan), Arc::clone(&its_cuts)));
                    }
                }
            }
        });
        Proxy { directory, plan, cuts, _runtime: runtime }
    }

    /// Cuts a connection when the answer to its next message containing `word` arrives: the server has done the work,
    /// the client never hears of it.
    pub fn cut_answer_to(&self, word: &str) {
        self.plan.lock().expect("no panic").asked = Some(word.as_bytes().to_vec());
    }

    /// Cuts a connection when the server's next answer containing `word` arrives.
    pub fn cut_answer_with(&self, word: &str) {
        self.plan.lock().expect("no panic").answered = Some(word.as_bytes().to_vec());
    }

    pub fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.directory);
    }
}

async fn pass(
    client: UnixStream,
    server: UnixStream,
    plan: Arc<std::sync::Mutex<Plan>>,
    cuts: Arc<AtomicU32>,
) -> Option<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let is_armed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (armed, asking) = (Arc::clone(&is_armed), Arc::clone(&plan));
    let up = tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        loop {
            let count = from_client.read(&mut buffer).await.unwrap_or(0);
            if count == 0 {
                break;
            }
            if is_hit(&mut asking.lock().expect("no panic").asked, &buffer[..count]) {
                armed.store(true, Ordering::SeqCst);
            }
            if to_server.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    });
    let mut buffer = vec![0; 65_536];
    loop {
        let count = from_server.read(&mut buffer).await.unwrap_or(0);
        let is_cut = is_hit(&mut plan.lock().expect("no panic").answered, &buffer[..count]);
        if count == 0 || is_cut || is_armed.load(Ordering::SeqCst) {
            cuts.fetch_add(u32::from(count > 0), Ordering::SeqCst);
            up.abort();
            return None;
        }
        to_client.write_all(&buffer[..count]).await.ok()?;
    }
}

/// The pooler's one connection, its startup done.
struct Server {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    /// What the server said at startup, for every client to hear: its parameters.
    greeting: Vec<u8>,
}

impl Server {
    async fn open(to: &Path) -> Server {
        let (mut reader, mut writer) = UnixStream::connect(to).await.expect("the server").into_split();
        let mut startup = vec![0, 3, 0, 0];
        for word in ["user", "postgres", "database", "postgres", "application_name", "pooler", ""] {
            startup.extend(word.as_bytes());
            startup.push(0);
        }
        let length = (startup.len() as u32 + 4).to_be_bytes();
        writer.write_all(&[length.as_slice(), &startup].concat()).await.expect("startup");
        let mut greeting = Vec::new();
        loop {
            let (kind, message) = read_message(&mut reader).await.expect("greeting");
            if kind == b'S' || kind == b'R' {
                greeting.extend(&message);
            }
            if kind == b'Z' {
                // A key of the pooler's own, as PgBouncer gives.
                greeting.extend([b'K', 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 2]);
                greeting.extend(&message);
                return Server { reader, writer, greeting };
            }
        }
    }
}

/// One client of the pooler: each of its transactions has the server to itself.
async fn share(client: UnixStream, server: Arc<Mutex<Server>>) -> Option<()> {
    let (mut reader, mut writer) = client.into_split();
    let length = reader.read_u32().await.ok()?;
    let mut startup = vec![0; length as usize - 4];
    reader.read_exact(&mut startup).await.ok()?;
    let greeting = server.lock().await.greeting.clone();
    writer.write_all(&greeting).await.ok()?;
    loop {
        let mut request = Vec::new();
        loop {
            let (kind, message) = read_message(&mut reader).await?;
            if kind == b'X' {
                return None;
            }
            request.extend(message);
            if kind == b'S' || kind == b'Q' {
                break;
            }
        }
        let mut server = server.lock().await;
        server.writer.write_all(&request).await.ok()?;
        loop {
            let (kind, message) = read_message(&mut server.reader).await?;
            // A real pooler has nobody to give a notification to either.
            if kind != b'A' {
                writer.write_all(&message).await.ok()?;
            }
            if kind == b'Z' {
                break;
            }
        }
    }
}

async fn read_message(reader: &mut OwnedReadHalf) -> Option<(u8, Vec<u8>)> {
    let kind = reader.read_u8().await.ok()?;
    let length = reader.read_u32().await.ok()?;
    let mut message = vec![kind];
    message.extend(length.to_be_bytes());
    message.resize(length as usize + 1, 0);
    reader.read_exact(&mut message[5..]).await.ok()?;
    Some((kind, message))
}
