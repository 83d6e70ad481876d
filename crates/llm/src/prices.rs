use hitesh_domain::Usage;

/// What a provider charges, per million tokens, in a currency that the operator keeps to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prices {
    /// For tokens of the prompt that were in no cache.
    pub prompt: f64,
    /// For tokens of the prompt that the provider had in a cache.
    pub cached: f64,
    /// For tokens that were generated.
    pub completion: f64,
}

impl Prices {
    /// What a call costs. Each token is paid once: cached ones are a part of the prompt and not paid as such. What a
    /// provider charges for writing into its cache is in none of the counts, so it is no part of this.
    pub fn cost(&self, usage: Usage) -> f64 {
        let cached = usage.cached_tokens.min(usage.prompt_tokens);
        let millionths = (usage.prompt_tokens - cached) as f64 * self.prompt
            + cached as f64 * self.cached
            + usage.completion_tokens as f64 * self.completion;
        millionths / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: Prices = Prices { prompt: 0.15, cached: 0.075, completion: 0.6 };

    #[test]
    fn every_token_is_paid_once() {
        let rows = [
            ((0, 0, 0), 0.0),
            ((1_000_000, 0, 0), 0.15),
            ((1_000_000, 0, 1_000_000), 0.075),
            ((1_000_000, 1_000_000, 500_000), 0.075 + 0.0375 + 0.6),
        ];
        for ((prompt_tokens, completion_tokens, cached_tokens), expected) in rows {
            let cost = PRICES.cost(Usage { prompt_tokens, completion_tokens, cached_tokens });
            assert!((cost - expected).abs() < 1e-12, "{cost} for {expected}");
        }
    }

    #[test]
    fn more_cached_tokens_than_there_were_cost_no_less_than_all_cached() {
        let cost = PRICES.cost(Usage { prompt_tokens: 1_000_000, completion_tokens: 0, cached_tokens: u64::MAX });
        assert!((cost - 0.075).abs() < 1e-12, "{cost}");
    }
}
