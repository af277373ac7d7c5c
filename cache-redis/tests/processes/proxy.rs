//! The way of one process to Redis, on which things go wrong.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    runtime::Handle,
    sync::watch,
    time::sleep,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Weather {
    Fair,
    /// Each packet takes so long, one after the other.
    Slow(Duration),
    /// Connections end, and new ones end at once.
    Cut,
    /// Whatever is sent is taken, and is never heard of again.
    Hole,
    /// Nothing goes this way until it clears up; then all of it does, late.
    Stuck(Way),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Out,
    Back,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    server: Arc<AtomicU16>,
    weather: watch::Sender<Weather>,
}

impl Proxy {
    /// It ends with the runtime.
    pub(crate) fn start(runtime: &Handle, server: u16) -> Self {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (weather, watched) = watch::channel(Weather::Fair);
        let server = Arc::new(AtomicU16::new(server));
        let upstream = Arc::clone(&server);
        runtime.spawn(async move {
            loop {
                // If the machine has no room for one more, its client sees that it does not come.
                let Ok((client, _)) = listener.accept().await else { continue };
                let server = upstream.load(Ordering::Relaxed);
                tokio::spawn(connect(client, server, watched.clone()));
            }
        });
        Self { port, server, weather }
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// For connections that are yet to come.
    pub(crate) fn lead_to(&self, server: u16) {
        self.server.store(server, Ordering::Relaxed);
    }
}

/// Either side that ends, or has lost something, ends both.
async fn connect(client: TcpStream, server: u16, weather: watch::Receiver<Weather>) -> io::Result<()> {
    if *weather.borrow() == Weather::Cut {
        return Ok(());
    }
    let server = TcpStream::connect(("127.0.0.1", server)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((client_out, client_back), (server_back, server_out)) = (client.into_split(), server.into_split());
    let clouds = weather.clone();
    tokio::select! {
        done = pump(client_out, server_out, Way::Out, weather) => done,
        done = pump(server_back, client_back, Way::Back, clouds) => done,
    }
}

async fn pump(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    way: Way,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let (mut buffer, mut has_swallowed) = (vec![0; 16 << 10], false);
    loop {
        let length = tokio::select! {
            read = from.read(&mut buffer) => read?,
            _ = weather.wait_for(|now| *now == Weather::Cut || has_swallowed && *now != Weather::Hole) => return Ok(()),
        };
        if length == 0 {
            return Ok(());
        }
        let now = *weather.borrow();
        match now {
            Weather::Slow(time) => sleep(time).await,
            Weather::Stuck(stuck) if stuck == way => {
                let _ = weather.wait_for(|now| *now != Weather::Stuck(way)).await;
            }
            Weather::Hole => {
                has_swallowed = true;
                continue;
            }
            _ => {}
        }
        to.write_all(&buffer[..length]).await?;
    }
}
