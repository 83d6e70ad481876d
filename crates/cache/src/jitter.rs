use std::time::Duration;

/// A life that is shorter by up to a tenth.
pub(crate) fn jittered(ttl: Duration) -> Duration {
    ttl.mul_f64(1.0 - rand::random_range(0.0..=0.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn jitter_takes_at_most_a_tenth_and_adds_nothing() {
        let lives: Vec<_> = (0..1000).map(|_| jittered(HOUR)).collect();
        assert!(lives.iter().all(|life| *life <= HOUR && *life >= HOUR.mul_f64(0.9)));
        assert!(lives.iter().any(|life| *life < HOUR.mul_f64(0.95)));
        assert!(lives.iter().any(|life| *life > HOUR.mul_f64(0.95)));
    }
}
