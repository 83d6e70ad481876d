//! The service as a whole: it listens, serves, and goes away in an orderly way.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{HttpServer, dev::Server, web::Data};
use hitesh_chat::Engine;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    http::{self, Http, SharedLimit},
    settings::{ServerSettings, Settings},
};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 2048;
/// How long a reader may take nothing of what is sent to it. The kernel closes such a connection, and the event
/// stream, which is polled only while there is room, ends with it.
const READER_PATIENCE: Duration = Duration::from_secs(30);
/// How long connections may take to send their last bytes. In whole seconds, as actix wants it.
const FLUSH_SECONDS: u64 = 1;

/// The service, bound and ready to run.
#[derive(Debug)]
pub struct Application {
    listener: TcpListener,
    address: SocketAddr,
    http: Data<Http>,
    engine: Engine,
    settings: ServerSettings,
}

/// Why the service can't listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct StartError {
    address: SocketAddr,
    source: io::Error,
}

impl Application {
    /// Binds the address. From now on connections wait until [`run_until`](Self::run_until) takes them.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub fn build(
        settings: &Settings,
        engine: Engine,
        shared_limit: Option<Arc<dyn SharedLimit>>,
    ) -> Result<Self, StartError> {
        let wanted = settings.server.address();
        let failed = |source| StartError { address: wanted, source };
        let listener = listen(wanted).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let http = Data::new(Http::new(settings, engine.clone(), shared_limit));
        Ok(Self { listener, address, http, engine, settings: settings.server.clone() })
    }

    /// Keeps the dashboard's samples, for ever. For a task that ends with the server.
    pub fn sampling(&self) -> impl Future<Output = ()> + Send + 'static {
        http::sampling(&self.http)
    }

    /// Where it listens: the port is the real one, also when any free one was asked for.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `signal` resolves. Then it is unready at once and takes no new turns; running turns get their time
    /// to end, every stream gets its end, and connections are closed.
    ///
    /// # Errors
    /// If the server can't run.
    pub async fn run_until(self, signal: impl Future<Output = ()>) -> io::Result<()> {
        let (engine, drain) = (self.engine.clone(), self.settings.drain);
        let address = self.address;
        let mut server = self.serve()?;
        let handle = server.handle();
        tracing::info!("listening on http://{address}");
        tokio::select! {
            ended = &mut server => return ended,
            () = signal => {}
        }
        engine.begin_drain();
        let leave = async {
            engine.drain(drain).await;
            handle.stop(true).await;
        };
        let (ended, ()) = tokio::join!(server, leave);
        ended
    }

    fn serve(self) -> io::Result<Server> {
        let (settings, http) = (self.settings, self.http);
        let server = HttpServer::new(move || http::app(http.clone()))
            .keep_alive(settings.keep_alive)
            .client_request_timeout(settings.head_timeout)
            // With half-closed connections allowed, an event stream would outlive its reader until the next write.
            .h1_allow_half_closed(false)
            .tcp_nodelay(true)
            .max_connections(settings.max_connections)
            .shutdown_timeout(FLUSH_SECONDS)
            .disable_signals();
        let server = match settings.workers {
            Some(workers) => server.workers(workers),
            None => server,
        };
        Ok(server.listen(self.listener)?.run())
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // Accepted connections inherit it. Other systems keep a stalled reader as long as its TCP does.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(READER_PATIENCE))?;
    #[cfg(not(target_os = "linux"))]
    let _ = READER_PATIENCE;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
