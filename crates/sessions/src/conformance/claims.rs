//! Idempotency keys.

use futures::future::join_all;
use hitesh_domain::IdempotencyKey;

use super::*;
use crate::Claim;

fn claim(key: &str, digest: u8) -> Claim {
    Claim { key: IdempotencyKey::try_from(key).unwrap(), digest: [digest; 32], turn: TurnId::now() }
}

pub async fn the_first_claim_of_a_key_binds_it(store: Store) {
    let first = claim("k", 1);
    assert_eq!(store.claim(&owner(), first.clone()).await.unwrap(), first);
    assert_eq!(store.claim(&owner(), claim("k", 1)).await.unwrap(), first);
    assert_eq!(store.claim(&owner(), claim("k", 2)).await.unwrap(), first, "another digest is the caller's affair");
    let other = claim("another", 2);
    assert_eq!(store.claim(&owner(), other.clone()).await.unwrap(), other);
}

pub async fn a_key_is_bound_for_its_owner_only(store: Store) {
    let other = Owner::try_from("key-2").unwrap();
    let (mine, theirs) = (claim("k", 1), claim("k", 2));
    assert_eq!(store.claim(&owner(), mine.clone()).await.unwrap(), mine);
    assert_eq!(store.claim(&other, theirs.clone()).await.unwrap(), theirs);
    assert_eq!(store.claim(&owner(), claim("k", 3)).await.unwrap(), mine);
}

pub async fn of_many_claims_at_once_one_binds(store: Store) {
    let claims: Vec<_> = (0..50).map(|digest| claim("k", digest)).collect();
    let owner = &owner();
    let bound = join_all(claims.iter().map(|claim| store.claim(owner, claim.clone()))).await;
    let bound: Vec<_> = bound.into_iter().map(Result::unwrap).collect();
    assert!(bound.iter().all(|claim| *claim == bound[0]));
    assert!(claims.contains(&bound[0]));
}

pub async fn a_key_whose_turn_came_to_nothing_is_bound_anew(store: Store) {
    let failed = claim("k", 1);
    store.claim(&owner(), failed.clone()).await.unwrap();
    let anew = Claim { turn: TurnId::now(), ..failed.clone() };
    assert_eq!(store.rebind(&owner(), failed.clone(), anew.turn).await.unwrap(), anew);
    assert_eq!(store.rebind(&owner(), failed, TurnId::now()).await.unwrap(), anew, "it is no longer bound to that");
    assert_eq!(store.claim(&owner(), claim("k", 1)).await.unwrap(), anew);
}

pub async fn erasing_a_session_frees_its_keys(store: Store) {
    let turns = [turn_in("s", "erased"), turn_in("t", "kept")];
    for (turn, key) in turns.iter().zip(["k", "l"]) {
        let claim = Claim { turn: turn.info.turn, ..claim(key, 1) };
        store.claim(&owner(), claim).await.unwrap();
        begin(&store, turn).await;
    }
    store.erase(&owner(), &session("s")).await.unwrap();
    let anew = claim("k", 2);
    assert_eq!(store.claim(&owner(), anew.clone()).await.unwrap(), anew);
    assert_eq!(store.claim(&owner(), claim("l", 2)).await.unwrap().turn, turns[1].info.turn);
}

pub async fn recovering_frees_keys_whose_turn_never_began(store: Store) {
    let turn = turn_in("s", "begun");
    let begun = Claim { turn: turn.info.turn, ..claim("begun", 1) };
    store.claim(&owner(), begun.clone()).await.unwrap();
    begin(&store, &turn).await;
    store.claim(&owner(), claim("died", 1)).await.unwrap();
    store.recover().await.unwrap();
    assert_eq!(store.claim(&owner(), claim("begun", 2)).await.unwrap(), begun);
    let anew = claim("died", 2);
    assert_eq!(store.claim(&owner(), anew.clone()).await.unwrap(), anew);
}
