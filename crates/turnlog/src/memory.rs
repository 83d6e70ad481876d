use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use hitesh_domain::LogId;
use parking_lot::Mutex;

use crate::{Batch, Ending, Lease, LogError, LogTimes, Tail, TurnLog};

/// Logs that the engines of one process share.
#[derive(Debug, Default)]
pub struct MemoryTurnLog {
    times: LogTimes,
    flights: Mutex<HashMap<String, Flight>>,
}

#[derive(Debug, Default)]
struct Flight {
    leader: Option<String>,
    landed_until: Option<Instant>,
    logs: HashMap<String, Log>,
}

#[derive(Debug, Default)]
struct Log {
    same_as: Option<String>,
    entries: Vec<Bytes>,
    about: Option<Bytes>,
    ending: Option<Ending>,
    lease_until: Option<Instant>,
    wanted_until: Option<Instant>,
    kept_until: Option<Instant>,
}

impl Log {
    fn is_alive(&self) -> bool {
        self.ending.is_none() && is_ahead(self.lease_until)
    }

    fn keep(&mut self, life: Duration) {
        self.kept_until = Some(Instant::now() + life);
    }
}

fn is_ahead(moment: Option<Instant>) -> bool {
    moment.is_some_and(|moment| moment > Instant::now())
}

impl MemoryTurnLog {
    /// Without any log yet.
    pub fn new(times: LogTimes) -> Self {
        Self { times, flights: Mutex::default() }
    }

    fn with<T>(&self, log: LogId, work: impl FnOnce(&mut Flight, String) -> T) -> T {
        let mut flights = self.flights.lock();
        let result = work(flights.entry(log.flight()).or_default(), log.own());
        flights.retain(|_, flight| {
            flight.logs.retain(|_, log| is_ahead(log.kept_until));
            !flight.logs.is_empty() || is_ahead(flight.landed_until)
        });
        result
    }
}

#[async_trait]
impl TurnLog for MemoryTurnLog {
    async fn lease(&self, log: LogId) -> Result<Lease, LogError> {
        Ok(self.with(log, |flight, own| {
            if let Some(leader) = flight.leader.clone().filter(|leader| *leader != own)
                && let Some(led) = flight.logs.get_mut(&leader).filter(|led| led.is_alive())
            {
                led.wanted_until = Some(Instant::now() + self.times.wanted);
                let name = flight.logs.entry(own).or_default();
                name.same_as = Some(leader);
                name.keep(self.times.open);
                return Lease::Follows;
            }
            flight.leader = Some(own.clone());
            let log = flight.logs.entry(own).or_default();
            log.same_as = None;
            log.lease_until = Some(Instant::now() + self.times.lease);
            log.keep(self.times.open);
            Lease::Leads { landed: is_ahead(flight.landed_until) }
        }))
    }

    async fn append(&self, log: LogId, batch: Batch<'_>) -> Result<(), LogError> {
        self.with(log, |flight, own| {
            let log = flight.logs.entry(own.clone()).or_default();
            let ending = batch.ending.cloned().map(Ending::Written);
            let after = batch.from + batch.entries.len();
            if log.ending.is_some() {
                let is_again = log.ending == ending && log.entries.len() == after;
                return if is_again { Ok(()) } else { Err(LogError::Sealed) };
            }
            let known = log.entries.len().checked_sub(batch.from).ok_or(LogError::Sealed)?;
            log.entries.extend(batch.entries.iter().skip(known).cloned());
            log.about = Some(batch.about.clone());
            log.lease_until = Some(Instant::now() + self.times.lease);
            log.keep(self.times.open);
            if ending.is_some() {
                log.ending = ending;
                log.lease_until = None;
                log.keep(self.times.ended);
                flight.leader.take_if(|leader| *leader == own);
                if batch.complete {
                    flight.landed_until = Some(Instant::now() + self.times.landed);
                }
            }
            Ok(())
        })
    }

    async fn read_from(&self, log: LogId, from: usize, wanted: bool) -> Result<Tail, LogError> {
        Ok(self.with(log, |flight, own| {
            let same_as = flight.logs.get(&own).and_then(|log| log.same_as.clone());
            let follows = same_as.is_some();
            let Some(log) = flight.logs.get_mut(&same_as.unwrap_or(own)) else { return Tail::default() };
            if wanted {
                log.wanted_until = Some(Instant::now() + self.times.wanted);
            }
            Tail {
                entries: log.entries.get(from..).unwrap_or_default().to_vec(),
                about: log.about.clone(),
                ending: log.ending.clone(),
                alive: log.is_alive(),
                follows,
            }
        }))
    }

    async fn is_wanted(&self, log: LogId) -> Result<bool, LogError> {
        Ok(self.with(log, |flight, own| flight.logs.get(&own).is_some_and(|log| is_ahead(log.wanted_until))))
    }

    async fn seal(&self, log: LogId) -> Result<bool, LogError> {
        Ok(self.with(log, |flight, own| {
            let log = flight.logs.entry(own).or_default();
            if log.same_as.is_some() || log.is_alive() {
                return false;
            }
            log.ending.get_or_insert(Ending::Sealed);
            log.keep(self.times.open);
            true
        }))
    }
}
