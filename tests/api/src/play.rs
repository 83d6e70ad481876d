use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::{
    Script,
    reply::{Framing, Part, ScriptEnd},
};

/// A reset throws away what the other side has not acknowledged, which it does within 40 ms at the latest.
const BEFORE_A_RESET: Duration = Duration::from_millis(100);

/// Writes a reply as its script says. The connection is the caller's to close, or to reset.
///
/// # Errors
/// When the other side no longer listens.
pub(crate) async fn play(socket: &mut (impl AsyncWriteExt + Unpin), script: &Script) -> std::io::Result<()> {
    let mut parts = script.parts.iter().peekable();
    while let Some(wait) = parts.next_if(|part| !matches!(part, Part::Bytes(_))) {
        write(socket, wait, script.framing).await?;
    }
    socket.write_all(head(script).as_bytes()).await?;
    for part in parts {
        write(socket, part, script.framing).await?;
    }
    match script.end {
        ScriptEnd::Orderly if script.framing == Framing::Chunked => socket.write_all(b"0\r\n\r\n").await,
        ScriptEnd::Orderly | ScriptEnd::Abrupt => Ok(()),
        ScriptEnd::Reset => {
            tokio::time::sleep(BEFORE_A_RESET).await;
            Ok(())
        }
        ScriptEnd::HalfClosed => {
            socket.shutdown().await?;
            std::future::pending().await
        }
        ScriptEnd::Stalled => std::future::pending().await,
    }
}

fn head(script: &Script) -> String {
    let framing = match script.framing {
        Framing::Raw => return String::new(),
        Framing::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        Framing::Length(bytes) => format!("content-length: {bytes}\r\n"),
        Framing::Close => String::new(),
    };
    let mut head = format!("HTTP/1.1 {} Scripted\r\n{framing}connection: close\r\n", script.status);
    for (name, value) in &script.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

async fn write(socket: &mut (impl AsyncWriteExt + Unpin), part: &Part, framing: Framing) -> std::io::Result<()> {
    match part {
        Part::Gate(gate) => gate.pass().await,
        Part::Pause(pause) => tokio::time::sleep(*pause).await,
        Part::Bytes(bytes) if bytes.is_empty() => {}
        Part::Bytes(bytes) if framing == Framing::Chunked => {
            let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
            chunk.extend_from_slice(bytes);
            chunk.extend_from_slice(b"\r\n");
            socket.write_all(&chunk).await?;
            socket.flush().await?;
        }
        Part::Bytes(bytes) => {
            socket.write_all(bytes).await?;
            socket.flush().await?;
        }
    }
    Ok(())
}
