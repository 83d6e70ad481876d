use std::sync::Arc;

use hitesh_domain::PersonaId;
use hitesh_persona::Persona;

/// The personas that this server has, and which one answers when none is named.
#[derive(Debug, Clone)]
pub struct Personas {
    all: Vec<Arc<Persona>>,
    default: Arc<Persona>,
}

/// Why a set of personas can't be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PersonasError {
    /// Two have the same id.
    #[error("there are two personas with the id `{0}`")]
    Twice(PersonaId),
    /// The default is not among them.
    #[error("the default persona `{0}` is not among the personas")]
    NoDefault(PersonaId),
}

impl Personas {
    /// Serves `all`, with `default` for those who name none.
    pub fn new(all: Vec<Persona>, default: &PersonaId) -> Result<Self, PersonasError> {
        let all: Vec<_> = all.into_iter().map(Arc::new).collect();
        for (index, persona) in all.iter().enumerate() {
            if all.iter().take(index).any(|earlier| earlier.id() == persona.id()) {
                return Err(PersonasError::Twice(persona.id().clone()));
            }
        }
        let found = all.iter().find(|persona| persona.id() == default).cloned();
        let default = found.ok_or_else(|| PersonasError::NoDefault(default.clone()))?;
        Ok(Self { all, default })
    }

    /// The one with this id, or the default one.
    pub fn get(&self, id: Option<&PersonaId>) -> Option<&Arc<Persona>> {
        match id {
            None => Some(&self.default),
            Some(id) => self.all.iter().find(|persona| persona.id() == id),
        }
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Persona>> {
        self.all.iter()
    }
}
