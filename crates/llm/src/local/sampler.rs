//! Which token comes next.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
};

use crate::Sampling;

/// Picks the likeliest token, or by chance when a temperature is set, and holds back what was just said.
#[derive(Debug)]
pub(super) struct Sampler {
    penalty: f32,
    window: usize,
    recent: VecDeque<usize>,
    /// How often each token is in `recent`.
    counts: Vec<u32>,
    chance: Option<Chance>,
}

#[derive(Debug)]
struct Chance {
    temperature: f32,
    top_p: f32,
    random: u64,
}

/// Of how many tokens at most one is taken by chance; the others are noise at any sensible temperature.
const CANDIDATES: usize = 64;

impl Sampler {
    pub(super) fn new(sampling: &Sampling, penalty: f32, window: usize, vocabulary: usize) -> Self {
        let chance = sampling.temperature.filter(|temperature| *temperature > 0.0).map(|temperature| Chance {
            temperature,
            top_p: sampling.top_p.unwrap_or(1.0),
            random: RandomState::new().hash_one(0_u8),
        });
        let penalty = if penalty.is_finite() && penalty >= 1.0 { penalty } else { 1.0 };
        Self { penalty, window, recent: VecDeque::new(), counts: vec![0; vocabulary], chance }
    }

    /// The next token's number; never one that is `banned`. `None` only if there is none left.
    pub(super) fn pick(&mut self, logits: &[f32], banned: impl Fn(usize) -> bool) -> Option<usize> {
        if self.chance.is_none() {
            return self.likeliest(logits, banned);
        }
        let weighed = (0..logits.len()).filter(|token| !banned(*token));
        let weighed = weighed.filter_map(|token| Some((token, self.weight(token, *logits.get(token)?)))).collect();
        self.chance.as_mut()?.pick(weighed)
    }

    /// Of 150,000 tokens only those that beat all before them are looked at: to be held back never makes likelier.
    fn likeliest(&self, logits: &[f32], banned: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best = None;
        let mut best_weight = f32::NEG_INFINITY;
        for (token, logit) in logits.iter().enumerate() {
            if *logit > best_weight {
                let weight = self.weight(token, *logit);
                if weight > best_weight && !banned(token) {
                    best = Some(token);
                    best_weight = weight;
                }
            }
        }
        best
    }

    fn weight(&self, token: usize, logit: f32) -> f32 {
        if self.counts.get(token).is_some_and(|count| *count > 0) { held_back(logit, self.penalty) } else { logit }
    }

    /// Tells it what was said. The caller leaves out signs and white space: code needs them again and again.
    pub(super) fn said(&mut self, token: usize) {
        self.recent.push_back(token);
        self.count(token, 1);
        while self.recent.len() > self.window {
            if let Some(forgotten) = self.recent.pop_front() {
                self.count(forgotten, -1);
            }
        }
    }

    fn count(&mut self, token: usize, change: i32) {
        if let Some(count) = self.counts.get_mut(token) {
            *count = count.saturating_add_signed(change);
        }
    }
}

/// As in the CTRL paper (Keskar et al. 2019) and llama.cpp: towards less likely on either side of 0.
fn held_back(logit: f32, penalty: f32) -> f32 {
    if logit > 0.0 { logit / penalty } else { logit * penalty }
}

impl Chance {
    fn pick(&mut self, mut weighed: Vec<(usize, f32)>) -> Option<usize> {
        let descending = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1);
        if weighed.len() > CANDIDATES {
            weighed.select_nth_unstable_by(CANDIDATES, descending);
            weighed.truncate(CANDIDATES);
        }
        weighed.sort_unstable_by(descending);
        let best = weighed.first()?.1;
        for (_, weight) in &mut weighed {
            *weight = ((*weight - best) / self.temperature).exp();
        }
        let total: f32 = weighed.iter().map(|(_, weight)| weight).sum();
        let mut mass = 0.0;
        let nucleus = weighed.iter().position(|(_, weight)| {
            mass += weight / total;
            mass >= self.top_p
        });
        weighed.truncate(nucleus.map_or(weighed.len(), |last| last + 1));
        let kept: f32 = weighed.iter().map(|(_, weight)| weight).sum();
        let mut at = self.next_unit() * kept;
        let last = weighed.last().map(|(token, _)| *token);
        weighed
            .into_iter()
            .find(|(_, weight)| {
                at -= weight;
                at < 0.0
            })
            .map(|(token, _)| token)
            .or(last)
    }

    /// A number in [0, 1), by splitmix64 (Steele, Lea and Flood 2014).
    fn next_unit(&mut self) -> f32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        // 24 bits are what a float holds exactly.
        let top = u16::try_from(bits >> 48).unwrap_or(0);
        let low = u8::try_from((bits >> 40) & 0xff).unwrap_or(0);
        (f32::from(top) * 256.0 + f32::from(low)) / 16_777_216.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(temperature: Option<f32>, top_p: Option<f32>) -> Sampler {
        Sampler::new(&Sampling { temperature, top_p, max_tokens: None }, 1.5, 2, 4)
    }

    #[test]
    fn the_likeliest_that_is_not_banned_is_taken() {
        let logits = [1.0, 3.0, 2.0, -1.0];
        assert_eq!(sampler(None, None).pick(&logits, |_| false), Some(1));
        assert_eq!(sampler(None, None).pick(&logits, |token| token == 1), Some(2));
        assert_eq!(sampler(None, None).pick(&logits, |_| true), None);
    }

    #[test]
    fn what_was_just_said_is_held_back_until_it_is_forgotten() {
        let logits = [1.0, 3.0, 2.5, -1.0];
        let mut sampler = sampler(None, None);
        sampler.said(1);
        assert_eq!(sampler.pick(&logits, |_| false), Some(2));
        sampler.said(0);
        sampler.said(3);
        assert_eq!(sampler.pick(&logits, |_| false), Some(1));
    }

    #[test]
    fn chance_stays_in_the_nucleus() {
        let logits = [0.0, 5.0, 4.9, -9.0];
        let mut taken = [0; 4];
        let mut sampler = sampler(Some(1.0), Some(0.9));
        for _ in 0..400 {
            taken[sampler.pick(&logits, |_| false).unwrap()] += 1;
        }
        assert_eq!((taken[0], taken[3]), (0, 0));
        assert!(taken[1] > 50 && taken[2] > 50, "{taken:?}");
    }
}
