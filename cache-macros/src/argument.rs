//! One argument of the function, and what keeps it from being one.

use proc_macro2::Span;
use quote::format_ident;
use syn::{
    AngleBracketedGenericArguments, FnArg, Ident, Lifetime, ParenthesizedGenericArguments, Pat, PatIdent, PatType,
    Receiver, ReceiverKind, Type, TypeFnPtr, TypeImplTrait, TypePtr, TypeReference, parse_quote,
    visit::{self, Visit},
    visit_mut::VisitMut,
};

use crate::error::Mistakes;

pub(crate) struct Argument {
    /// As the body knows it. Of a receiver, as it would be with its type.
    pub(crate) written: PatType,
    pub(crate) receiver: Option<Receiver>,
    /// As generated code knows it: its own name where it has one.
    pub(crate) name: Ident,
    pub(crate) passing: Passing,
    /// Where its type has an `impl Trait`.
    pub(crate) opaque: Option<Span>,
    pub(crate) role: Role,
    pub(crate) mention: Mention,
    /// Whether `stack = …` speaks of it.
    pub(crate) gives_stack: bool,
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

/// Which options speak of an argument, by its name or that of a part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mention {
    Nowhere,
    /// `key`, `when`, `unless` or `default_on_error`, which are done with it before anything is loaded.
    InKey,
    /// `tags`, `stack` or a `key` that it is lent to, which still need it when a load does.
    BesideLoad,
}

impl Argument {
    /// Reads an argument; what is wrong with it becomes mistakes.
    pub(crate) fn read(index: usize, written: &FnArg, is_async: bool, mistakes: &mut Mistakes) -> Option<Self> {
        let (written, receiver) = match written {
            FnArg::Typed(written) => (written.clone(), None),
            FnArg::Receiver(receiver) => {
                let refuse = |why| mistakes.at(receiver.self_token.span, why);
                (instance(receiver).map_err(refuse).ok()?, Some(receiver.clone()))
            }
        };
        for attribute in written.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
            mistakes.add(syn::Error::new_spanned(
                attribute,
                "an argument of a cached function can't be conditional; put the `cfg` on two functions",
            ));
        }
        let passing = Passing::of(&written.ty, mistakes);
        if let (Passing::Borrowed(ty), true) = (&passing, is_async) {
            refuse_object(ty, mistakes);
        }
        let name = match plain_name(&written.pat) {
            Some(name) => name.clone(),
            None => format_ident!("__argument_{index}", span = Span::mixed_site()),
        };
        let opaque = opaque(&written.ty);
        let (role, mention) = (Role::Key, Mention::Nowhere);
        Some(Self { written, receiver, name, passing, opaque, role, mention, gives_stack: false })
    }

    /// Whether it has a pattern where others have a name.
    pub(crate) fn is_taken_apart(&self) -> bool {
        plain_name(&self.written.pat).is_none()
    }

    /// The names that its pattern binds.
    pub(crate) fn parts(&self) -> Vec<Ident> {
        bindings(&self.written.pat)
    }

    /// Its name where `self` can't be one.
    pub(crate) fn local(&self) -> Ident {
        if self.name == "self" { Ident::new("__instance", Span::mixed_site()) } else { self.name.clone() }
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
        matches!(self.passing, Passing::Owned(_)) && self.role == Role::Skipped && self.mention != Mention::BesideLoad
    }
}

pub(crate) fn plain_name(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(pattern) if pattern.subpat.is_none() => Some(&pattern.ident),
        _ => None,
    }
}

const BY_REFERENCE: &str = "a cached method takes its instance by `&self`, of which a load keeps a copy; for anything else cache \
                            a free function beside the `impl`, and call that";

const NO_CHANGES: &str = "a method that changes its instance can't be cached, because a hit would change nothing; cache a method \
                          that reads, by `&self`, and put `#[invalidates(…)]` on what changes things";

/// For a method whose options don't say it.
pub(crate) const NO_INSTANCE: &str = "say how the instance enters the key: `key = (self.id, id)` if two of them have different \
                                      answers, or `skip(self)` if they don't";

/// For an argument of which there are many types, and so no type of key.
pub(crate) const OPAQUE: &str = "an `impl Trait` can't be part of the key as it is, because callers with different types would have \
                                 different entries; say what of it is, by `key = …`, keep it out by `skip(…)`, or name its type: `<T: Trait>`";

/// The instance as an argument: `self: &Self`.
fn instance(receiver: &Receiver) -> Result<PatType, &'static str> {
    let (and, lifetime) = match &receiver.kind {
        ReceiverKind::Reference(and, lifetime, None) => (and, lifetime),
        ReceiverKind::Reference(_, _, Some(_)) => return Err(NO_CHANGES),
        _ => return Err(BY_REFERENCE),
    };
    let place = receiver.self_token.span;
    let (ident, own) = (Ident::new("self", place), Ident::new("Self", place));
    let pattern = PatIdent { attrs: vec![], by_ref: None, mutability: None, ident, subpat: None };
    Ok(PatType {
        attrs: receiver.attrs.clone(),
        pat: Box::new(Pat::Ident(pattern)),
        colon_token: Default::default(),
        ty: parse_quote!(#and #lifetime #own),
    })
}

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

fn refuse_object(ty: &Type, mistakes: &mut Mistakes) {
    match ty {
        Type::Paren(inner) => refuse_object(&inner.elem, mistakes),
        Type::Group(inner) => refuse_object(&inner.elem, mistakes),
        Type::TraitObject(object) => {
            let message = "a load can't keep a copy of a borrowed trait object; take an `Arc<dyn …>`";
            mistakes.add(syn::Error::new_spanned(object, message));
        }
        _ => {}
    }
}

fn opaque(ty: &Type) -> Option<Span> {
    struct Opaque(Option<Span>);
    impl Visit<'_> for Opaque {
        fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
            self.0.get_or_insert(ty.impl_token.span);
        }
    }
    let mut found = Opaque(None);
    found.visit_type(ty);
    found.0
}

fn is_static(lifetime: &Option<Lifetime>) -> bool {
    lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static")
}

fn refuse_in_argument(ty: &Type, mistakes: &mut Mistakes) {
    Unfit { what: What::Argument, mistakes }.visit_type(ty);
}

/// What a cached function returns has to live in the cache.
pub(crate) fn refuse_in_return(ty: &Type, mistakes: &mut Mistakes) {
    Unfit { what: What::Value, mistakes }.visit_type(ty);
}

/// Finds the parts of a type that can neither outlive the call nor be named.
struct Unfit<'m> {
    what: What,
    mistakes: &'m mut Mistakes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Argument,
    Value,
    /// What may be the error of a `Result`, which is not stored.
    Error,
}

impl Unfit<'_> {
    fn refuse(&mut self, span: Span, why: &str) {
        let what = match self.what {
            What::Argument => "an argument of a cached function",
            What::Value | What::Error => "what a cached function returns",
        };
        self.mistakes.at(span, format!("{what} can't {why}"));
    }
}

const BORROWED: &str = "borrow from the caller, because loads and entries outlive the call; use an owned type";

impl Visit<'_> for Unfit<'_> {
    fn visit_type_reference(&mut self, reference: &TypeReference) {
        let place = reference.and_token.span;
        if reference.mutability.is_some() {
            self.refuse(
                place,
                "be borrowed mutably, because a hit would not do what the body does to it; take it by value",
            );
        } else if !is_static(&reference.lifetime) {
            self.refuse(place, BORROWED);
        } else if self.what == What::Value {
            self.refuse(place, "be a reference, because a shared store gives values back as bytes; use an owned type");
        }
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            self.refuse(lifetime.apostrophe, BORROWED);
        }
    }

    fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
        if self.what != What::Argument {
            self.refuse(ty.impl_token.span, "be an `impl Trait`, because a cache is made for one type; name that type");
        }
    }

    fn visit_type_ptr(&mut self, pointer: &TypePtr) {
        self.refuse(pointer.star_token.span, "be a raw pointer, because an address says nothing about what is there");
    }

    fn visit_angle_bracketed_generic_arguments(&mut self, generics: &AngleBracketedGenericArguments) {
        let outer = self.what;
        for argument in &generics.args {
            self.visit_generic_argument(argument);
            if self.what == What::Value {
                self.what = What::Error;
            }
        }
        self.what = outer;
    }

    // The lifetimes in these are for all calls, not borrowed from this one.
    fn visit_type_fn_ptr(&mut self, _: &TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &ParenthesizedGenericArguments) {}
}

/// The names that a pattern binds.
pub(crate) fn bindings(pattern: &Pat) -> Vec<Ident> {
    let mut bindings = Bindings(Vec::new());
    bindings.visit_pat(pattern);
    bindings.0
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
    fn visit_pat_mut(&mut self, pattern: &mut Pat) {
        while let Pat::Reference(reference) = pattern {
            *pattern = (*reference.pat).clone();
        }
        syn::visit_mut::visit_pat_mut(self, pattern);
    }

    fn visit_pat_ident_mut(&mut self, pattern: &mut PatIdent) {
        pattern.mutability = None;
        pattern.by_ref = None;
        syn::visit_mut::visit_pat_ident_mut(self, pattern);
    }
}
