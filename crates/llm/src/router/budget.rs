use parking_lot::Mutex;

/// What a retry costs, and what each call that is offered pays in: a fifth of it.
const RETRY: u32 = 10;
const DEPOSIT: u32 = 2;
/// What can be saved up: ten retries, so that a quiet hour pays for no storm.
const LIMIT: u32 = 10 * RETRY;
/// A new provider has one retry in advance, which its first calls pay back.
const ADVANCE: u32 = RETRY / DEPOSIT;

/// How often a provider may be asked again. Of `n` calls, never more than `max(1, n / 5)` are.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Account>);

#[derive(Debug)]
struct Account {
    balance: u32,
    /// Calls that still pay for the advance.
    owed: u32,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Account { balance: RETRY, owed: ADVANCE }))
    }

    /// A call is offered to the provider.
    pub(super) fn deposit(&self) {
        let mut account = self.0.lock();
        if account.owed > 0 {
            account.owed -= 1;
        } else {
            account.balance = LIMIT.min(account.balance + DEPOSIT);
        }
    }

    /// Whether the provider may be asked once more.
    pub(super) fn withdraw(&self) -> bool {
        let mut account = self.0.lock();
        let rest = account.balance.checked_sub(RETRY);
        account.balance = rest.unwrap_or(account.balance);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_a_fifth_is_extra() {
        let budget = Budget::new();
        let mut retries = 0;
        for calls in 1..=1000 {
            budget.deposit();
            retries += u32::from(budget.withdraw());
            assert!(retries <= 1.max(calls / 5), "{retries} retries of {calls} calls");
        }
        assert_eq!(retries, 200, "what was paid for can be used");
    }

    #[test]
    fn a_quiet_hour_pays_for_no_storm() {
        let budget = Budget::new();
        (0..10_000).for_each(|_| budget.deposit());
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10);
    }
}
