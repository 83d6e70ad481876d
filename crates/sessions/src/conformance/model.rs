//! Random lives of a session, compared with what a list in memory says to each step.

use hitesh_domain::Replaces;

use super::*;

/// A session as the trait describes it, without a thought for speed. Turns are in the order in which they began.
#[derive(Default)]
struct Model(Vec<ModelTurn>);

struct ModelTurn {
    id: TurnId,
    place: usize,
    replaces: Option<Replaces>,
    /// Once it has ended: whether it has some output.
    output: Option<bool>,
    replaced_by: Option<TurnId>,
}

impl Model {
    fn begin(&mut self, id: TurnId, replaces: Option<Replaces>) {
        let named = |replaces: Replaces| self.0.iter().find(|turn| turn.id == replaces.turn).unwrap().place;
        let place = replaces.map_or(self.0.len(), named);
        self.0.push(ModelTurn { id, place, replaces, output: None, replaced_by: None });
    }

    fn end(&mut self, index: usize, output: bool) {
        self.0[index].output = Some(output);
        let ModelTurn { id, place, replaces, replaced_by, .. } = self.0[index];
        let Some(replaces) = replaces.filter(|_| replaced_by.is_none()) else { return };
        if !output {
            self.0[index].replaced_by = Some(replaces.turn);
            return;
        }
        for (other, turn) in self.0.iter_mut().enumerate().filter(|(other, _)| *other != index) {
            let at_its_place = turn.place == place && turn.output.is_some();
            let follows = replaces.with_followers && turn.place > place && other < index;
            if turn.replaced_by.is_none() && (at_its_place || follows) {
                turn.replaced_by = Some(id);
            }
        }
    }

    fn open(&self) -> Vec<usize> {
        (0..self.0.len()).filter(|index| self.0[*index].output.is_none()).collect()
    }

    /// Of those that pass: id and who replaced it, in the session's order.
    fn shown(&self, pass: impl Fn(&ModelTurn) -> bool) -> Vec<(TurnId, Option<TurnId>)> {
        let mut turns: Vec<_> = self.0.iter().filter(|turn| pass(turn)).collect();
        turns.sort_by_key(|turn| turn.place);
        turns.iter().map(|turn| (turn.id, turn.replaced_by)).collect()
    }
}

/// Small numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

pub async fn any_life_of_a_session_is_as_a_list_in_memory_says(store: Store) {
    let mut dice = Dice(0x00C0_FFEE);
    for life in 0..12 {
        let name = format!("s{life}");
        let mut model = Model::default();
        for step in 0..40 {
            act(&store, &name, &mut model, &mut dice, step).await;
            compare(&store, &name, &model, &mut dice).await;
        }
    }
}

/// Each question is the turn's number, so that a context tells which turns it holds.
async fn act(store: &Store, name: &str, model: &mut Model, dice: &mut Dice, step: usize) {
    let open = model.open();
    let whole = dice.roll(3) > 0;
    let outcome = || if whole { answer("ok") } else { ended(End::Stopped, without_output()) };
    match dice.roll(12) {
        0..5 if !open.is_empty() => {
            let index = open[dice.roll(open.len())];
            store.finish(model.0[index].id, outcome()).await.unwrap();
            model.end(index, whole);
        }
        5 if dice.roll(4) == 0 => {
            store.recover().await.unwrap();
            open.into_iter().for_each(|index| model.end(index, false));
        }
        kind => {
            let mut turn = turn_in(name, &format!("{step}"));
            if step > 2 && kind % 4 != 0 && !model.0.is_empty() {
                let replaced = model.0[dice.roll(model.0.len())].id;
                turn.info.replaces = Some(Replaces { turn: replaced, with_followers: dice.roll(2) == 0 });
            }
            model.begin(turn.info.turn, turn.info.replaces);
            if kind % 2 == 0 {
                begin(store, &turn).await;
            } else {
                store.record(turn, outcome()).await.unwrap();
                model.end(model.0.len() - 1, whole);
            }
        }
    }
}

async fn compare(store: &Store, name: &str, model: &Model, dice: &mut Dice) {
    let session = &session(name);
    let mut questions = std::collections::HashMap::new();
    for replaced in [true, false] {
        let page = Page { limit: 1000, before: None, replaced };
        let found = store.history(&owner(), session, page).await.unwrap();
        let shown: Vec<_> = found.iter().map(|turn| (turn.info.turn, turn.replaced_by)).collect();
        assert_eq!(shown, model.shown(|turn| replaced || turn.replaced_by.is_none()));
        questions.extend(found.into_iter().map(|turn| (turn.info.turn, turn.question)));
    }
    let bound = model.0.get(dice.roll(model.0.len().max(1)));
    for bound in [None, bound] {
        let context = store.context(&owner(), session, 1000, bound.map(|turn| turn.id)).await.unwrap();
        let found: Vec<_> = context.turns.into_iter().map(|turn| turn.question).collect();
        let counts = |turn: &ModelTurn| turn.replaced_by.is_none() && turn.output == Some(true);
        let expected = model.shown(|turn| counts(turn) && bound.is_none_or(|bound| turn.place < bound.place));
        assert_eq!(found, expected.iter().map(|(id, _)| questions[id].clone()).collect::<Vec<_>>());
    }
}
