//! The annotated function: its signature parsed, its body left as it is.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, Meta, Result, Signature, Token, Visibility,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

pub(crate) struct Function {
    pub(crate) attributes: Attributes,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
}

/// What stood below `#[cached]`, by where it goes.
#[derive(Default)]
pub(crate) struct Attributes {
    /// `cfg`: on every item that is generated.
    pub(crate) conditions: Vec<Attribute>,
    /// `doc`, `deprecated`, `must_use`: on the function that callers see.
    pub(crate) outside: Vec<Attribute>,
    /// Lint levels: on all functions. An `expect` stays one on the body alone, where it can be fulfilled.
    pub(crate) lints: Vec<Attribute>,
    /// Anything else, such as `#[instrument]`: on the body, since that is what it stands next to.
    pub(crate) body: Vec<Attribute>,
}

impl Parse for Function {
    fn parse(input: ParseStream) -> Result<Self> {
        let attributes = Attributes::sort(input.call(Attribute::parse_outer)?);
        let visibility = input.parse()?;
        let signature = input.parse().map_err(|_| input.error("`#[cached]` goes on a function"))?;
        let body = body(input)?;
        Ok(Self { attributes, visibility, signature, body })
    }
}

fn body(input: ParseStream) -> Result<Group> {
    if input.peek(syn::token::Brace) {
        return input.parse();
    }
    Err(input.error("`#[cached]` needs the body of the function: a trait's declaration has nothing to cache"))
}

impl Attributes {
    pub(crate) fn sort(attributes: Vec<Attribute>) -> Self {
        let mut sorted = Self::default();
        for attribute in attributes {
            match Place::of(&attribute.meta) {
                Place::Everywhere => sorted.conditions.push(attribute),
                Place::Outside => sorted.outside.push(attribute),
                Place::Lint => sorted.lints.push(attribute),
                Place::Body => sorted.body.push(attribute),
            }
        }
        sorted
    }

    /// The lint levels for functions that don't hold the body.
    pub(crate) fn tolerances(&self) -> impl Iterator<Item = TokenStream> {
        self.lints.iter().map(|lint| match &lint.meta {
            Meta::List(list) if list.path.is_ident("expect") => {
                let lints = &list.tokens;
                quote::quote!(#[allow(#lints)])
            }
            _ => lint.to_token_stream(),
        })
    }
}

enum Place {
    Everywhere,
    Outside,
    Lint,
    Body,
}

impl Place {
    fn of(meta: &Meta) -> Self {
        let Some(name) = meta.path().get_ident() else {
            return Self::Body;
        };
        match name.to_string().as_str() {
            "cfg" => Self::Everywhere,
            "doc" | "deprecated" | "must_use" => Self::Outside,
            "allow" | "warn" | "deny" | "forbid" | "expect" => Self::Lint,
            "cfg_attr" => Self::of_conditional(meta),
            _ => Self::Body,
        }
    }

    /// `cfg_attr(predicate, attribute, …)` goes where its first attribute goes.
    fn of_conditional(meta: &Meta) -> Self {
        let parts =
            meta.require_list().and_then(|list| list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated));
        match parts {
            Ok(parts) if parts.len() > 1 => Self::of(&parts[1]),
            _ => Self::Body,
        }
    }
}

/// Whether `name` occurs anywhere in `tokens`.
pub(crate) fn mentions(tokens: impl ToTokens, name: &syn::Ident) -> bool {
    find(tokens, name).is_some()
}

/// Where `name` occurs first in `tokens`; `format!("{name}")` speaks of it too.
pub(crate) fn find(tokens: impl ToTokens, name: &syn::Ident) -> Option<Span> {
    fn within(tokens: TokenStream, name: &syn::Ident) -> Option<Span> {
        let mut is_macro = false;
        tokens.into_iter().find_map(|token| {
            let of_a_macro =
                std::mem::replace(&mut is_macro, matches!(&token, TokenTree::Punct(mark) if mark.as_char() == '!'));
            match token {
                TokenTree::Group(group) => {
                    let captured = || group.stream().into_iter().find_map(|token| captures(&token, name));
                    within(group.stream(), name).or_else(|| of_a_macro.then(captured).flatten())
                }
                TokenTree::Ident(ident) => (ident == *name).then(|| ident.span()),
                _ => None,
            }
        })
    }
    within(tokens.to_token_stream(), name)
}

/// The place of a text with the name in braces.
fn captures(token: &TokenTree, name: &syn::Ident) -> Option<Span> {
    let TokenTree::Literal(literal) = token else { return None };
    let text = literal.to_string();
    let name = name.unraw();
    [format!("{{{name}}}"), format!("{{{name}:")].iter().any(|braced| text.contains(braced)).then(|| literal.span())
}
