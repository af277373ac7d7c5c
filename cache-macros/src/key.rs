//! `key = …`: what of it is lent for the lookup, and what is made for it.

use syn::{Expr, ExprReference, ExprTuple, Ident, parse_quote};

use crate::{
    args::bare,
    argument::{Argument, Passing},
    function::mentions,
};

/// What an entry is looked up by.
pub(crate) enum Key {
    /// The arguments that are not skipped.
    Arguments,
    /// `key = …`, as a whole.
    Whole(Part),
    /// `key = (…, …)`, where something in it is lent.
    Tuple(Vec<Part>),
}

pub(crate) enum Part {
    /// `name`, for an argument; this is a reference to it.
    Argument(Expr),
    /// `&self.name`
    Reference(ExprReference),
    /// Anything else: a value that is made by each call.
    Made(Expr),
}

impl Key {
    pub(crate) fn of(key: Option<&Expr>, arguments: &[Argument]) -> Self {
        let Some(key) = key.cloned().map(bare) else { return Self::Arguments };
        if let Expr::Tuple(ExprTuple { elems, .. }) = &key
            && elems.len() > 1
        {
            let parts: Vec<_> = elems.iter().map(|part| Part::of(part.clone(), arguments)).collect();
            if parts.iter().any(Part::is_lent) {
                return Self::Tuple(parts);
            }
        }
        Self::Whole(Part::of(key, arguments))
    }

    /// Whether it is looked up by a reference to one of these, or to a part of it.
    pub(crate) fn lends(&self, names: &[Ident]) -> bool {
        let parts = match self {
            Self::Arguments => return false,
            Self::Whole(part) => std::slice::from_ref(part),
            Self::Tuple(parts) => parts,
        };
        parts.iter().any(|part| match part {
            Part::Argument(reference) => names.iter().any(|name| mentions(reference, name)),
            Part::Reference(reference) => names.iter().any(|name| mentions(reference, name)),
            Part::Made(_) => false,
        })
    }
}

impl Part {
    fn of(part: Expr, arguments: &[Argument]) -> Self {
        match bare(part) {
            Expr::Reference(reference) if reference.mutability.is_none() => Self::Reference(reference),
            Expr::Path(path) => match path.path.get_ident().and_then(|name| reference(name, arguments)) {
                Some(reference) => Self::Argument(reference),
                None => Self::Made(Expr::Path(path)),
            },
            part => Self::Made(part),
        }
    }

    fn is_lent(&self) -> bool {
        !matches!(self, Self::Made(_))
    }
}

/// A reference to the argument of this name. That of a part is one already.
fn reference(name: &Ident, arguments: &[Argument]) -> Option<Expr> {
    arguments.iter().find_map(|argument| match &argument.passing {
        _ if argument.is_taken_apart() => argument.parts().contains(name).then(|| parse_quote!(#name)),
        _ if argument.name != *name => None,
        Passing::Owned(_) => Some(parse_quote!(&#name)),
        Passing::Borrowed(_) => Some(parse_quote!(&*#name)),
    })
}
