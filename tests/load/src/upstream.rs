use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// How an answer comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) pieces: usize,
    pub(crate) gap: Duration,
}

/// Microseconds since the epoch.
pub(crate) fn since_epoch() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_micros()).unwrap()
}

/// An OpenAI-compatible server whose pieces are the times at which they were sent; its address.
pub(crate) async fn start(pace: Pace) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                // A caller that has gone is no concern of the upstream.
                let _ = answer(socket, pace).await;
            });
        }
    });
    address
}

async fn answer(socket: TcpStream, pace: Pace) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut socket = BufReader::new(socket);
    let mut length = 0;
    loop {
        let mut line = String::new();
        socket.read_line(&mut line).await?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    socket.read_exact(&mut vec![0; length]).await?;
    let mut socket = socket.into_inner();
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n").await?;
    send(&mut socket, "<analyze>a</analyze><think>t</think><output>").await?;
    for _ in 0..pace.pieces {
        send(&mut socket, &format!("{} ", since_epoch())).await?;
        if !pace.gap.is_zero() {
            tokio::time::sleep(pace.gap).await;
        }
    }
    send(&mut socket, "</output>").await?;
    let finish = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    socket.write_all(format!("data: {finish}\n\ndata: [DONE]\n\n").as_bytes()).await
}

async fn send(socket: &mut TcpStream, text: &str) -> std::io::Result<()> {
    let chunk = json!({"choices": [{"index": 0, "delta": {"content": text}}]});
    socket.write_all(format!("data: {chunk}\n\n").as_bytes()).await
}
