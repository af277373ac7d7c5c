//! One argument of the function, and what keeps it from being one.

use proc_macro2::Span;
use quote::format_ident;
use syn::{
    FnArg, Ident, Lifetime, ParenthesizedGenericArguments, Pat, PatIdent, PatType, Type, TypeFnPtr, TypeImplTrait,
    TypePtr, TypeReference,
    visit::{self, Visit},
    visit_mut::VisitMut,
};

use crate::error::Mistakes;

pub(crate) struct Argument {
    /// As the body knows it.
    pub(crate) written: PatType,
    /// As generated code knows it: its own name where it has one.
    pub(crate) name: Ident,
    pub(crate) passing: Passing,
    pub(crate) role: Role,
    /// Whether a tag, the choice of the stack or the expression of a key reads it.
    pub(crate) mentioned: bool,
}

pub(crate) enum Passing {
    /// `id: UserId`
    Owned(Box<Type>),
    /// `name: &str`; this is the `str`.
    Borrowed(Box<Type>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Part of the key.
    Key,
    /// Only handed to the body.
    Skipped,
}

impl Argument {
    /// Reads an argument; what is wrong with it becomes mistakes.
    pub(crate) fn read(index: usize, written: &FnArg, mistakes: &mut Mistakes) -> Option<Self> {
        let written = match written {
            FnArg::Typed(written) => written.clone(),
            FnArg::Receiver(receiver) => {
                mistakes.at(receiver.self_token.span, NO_METHODS);
                return None;
            }
        };
        for attribute in written.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
            mistakes.add(syn::Error::new_spanned(
                attribute,
                "an argument of a cached function can't be conditional; put the `cfg` on two functions",
            ));
        }
        let passing = Passing::of(&written.ty, mistakes);
        let name = match plain_name(&written.pat) {
            Some(name) => name.clone(),
            None => format_ident!("__argument_{index}", span = Span::mixed_site()),
        };
        Some(Self { written, name, passing, role: Role::Key, mentioned: false })
    }

    /// Whether it has a pattern where others have a name.
    pub(crate) fn is_taken_apart(&self) -> bool {
        plain_name(&self.written.pat).is_none()
    }

    /// The names that its pattern binds.
    pub(crate) fn parts(&self) -> Vec<Ident> {
        let mut bindings = Bindings(Vec::new());
        bindings.visit_pat(&self.written.pat);
        bindings.0
    }

    /// Its type, without the reference if it is borrowed.
    pub(crate) fn ty(&self) -> &Type {
        let (Passing::Owned(ty) | Passing::Borrowed(ty)) = &self.passing;
        ty
    }

    /// Its pattern, for looking at the argument without taking it.
    pub(crate) fn viewing_pattern(&self) -> Pat {
        let mut pattern = (*self.written.pat).clone();
        ByDefault.visit_pat_mut(&mut pattern);
        pattern
    }

    /// Whether a load takes it away from the call, rather than a copy of it.
    pub(crate) fn is_moved(&self) -> bool {
        matches!(self.passing, Passing::Owned(_)) && self.role == Role::Skipped && !self.mentioned
    }
}

fn plain_name(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(pattern) if pattern.subpat.is_none() => Some(&pattern.ident),
        _ => None,
    }
}

pub(crate) const NO_METHODS: &str = "a method can't be cached, because `self` would have to be part of the key; cache a free function \
                          that takes what it needs as arguments (`skip(…)` keeps one out of the key), and call that";

impl Passing {
    fn of(ty: &Type, mistakes: &mut Mistakes) -> Self {
        match ty {
            Type::Paren(inner) => Self::of(&inner.elem, mistakes),
            Type::Group(inner) => Self::of(&inner.elem, mistakes),
            Type::Reference(reference) if reference.mutability.is_none() && !is_static(&reference.lifetime) => {
                refuse_in_argument(&reference.elem, mistakes);
                Self::Borrowed(reference.elem.clone())
            }
            _ => {
                refuse_in_argument(ty, mistakes);
                Self::Owned(Box::new(ty.clone()))
            }
        }
    }
}

fn is_static(lifetime: &Option<Lifetime>) -> bool {
    lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static")
}

fn refuse_in_argument(ty: &Type, mistakes: &mut Mistakes) {
    if let Type::TraitObject(object) = ty {
        mistakes.add(syn::Error::new_spanned(
            object,
            "a load can't keep a copy of a trait object behind a reference; take `Arc<dyn …>` instead",
        ));
        return;
    }
    Unfit { of: "an argument of a cached function", way_out: "take an owned type instead", mistakes }.visit_type(ty);
}

/// What a cached function returns has to live in the cache.
pub(crate) fn refuse_in_return(ty: &Type, mistakes: &mut Mistakes) {
    Unfit { of: "a cached value", way_out: "return an owned type instead", mistakes }.visit_type(ty);
}

/// Finds the parts of a type that can neither outlive the call nor be named.
struct Unfit<'m> {
    of: &'static str,
    way_out: &'static str,
    mistakes: &'m mut Mistakes,
}

impl Unfit<'_> {
    fn refuse(&mut self, span: Span, what: &str) {
        self.mistakes.at(span, format!("{} can't {what}; {}", self.of, self.way_out));
    }
}

impl Visit<'_> for Unfit<'_> {
    fn visit_type_reference(&mut self, reference: &TypeReference) {
        if reference.mutability.is_some() {
            self.refuse(reference.and_token.span, "be borrowed mutably: a hit would not do what the body does to it");
        } else if !is_static(&reference.lifetime) {
            self.refuse(
                reference.and_token.span,
                "borrow from the caller inside a type, because loads and entries outlive the call",
            );
        }
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            self.refuse(lifetime.apostrophe, "have a lifetime, because loads and entries outlive the call");
        }
    }

    fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
        self.refuse(ty.impl_token.span, "be an `impl Trait`: the cache is made for one type, which needs a name");
    }

    fn visit_type_ptr(&mut self, pointer: &TypePtr) {
        self.refuse(pointer.star_token.span, "be a raw pointer: an address says nothing about what is there");
    }

    fn visit_type_path(&mut self, path: &syn::TypePath) {
        if path.path.is_ident("Self") {
            let span = path.path.segments[0].ident.span();
            self.mistakes.at(span, NO_METHODS);
        }
        visit::visit_type_path(self, path);
    }

    // The lifetimes in these are for all calls, not borrowed from this one.
    fn visit_type_fn_ptr(&mut self, _: &TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &ParenthesizedGenericArguments) {}
}

struct Bindings(Vec<Ident>);

impl Visit<'_> for Bindings {
    fn visit_pat_ident(&mut self, pattern: &PatIdent) {
        self.0.push(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }
}

/// Leaves it to the value that is matched whether a name is bound by reference.
struct ByDefault;

impl VisitMut for ByDefault {
    fn visit_pat_ident_mut(&mut self, pattern: &mut PatIdent) {
        pattern.mutability = None;
        pattern.by_ref = None;
        syn::visit_mut::visit_pat_ident_mut(self, pattern);
    }
}
