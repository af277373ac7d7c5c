//! Options and signature together. A [`Model`] can be printed as it is: every rule was checked while it was made.

use proc_macro2::Group;
use syn::{
    Expr, GenericParam, Generics, Ident, Path, ReturnType, Signature, Type, Visibility, parse_quote, spanned::Spanned,
};

use crate::{
    args::{Args, Given, Tag},
    argument::{Argument, Mention, Role, refuse_in_return},
    duration::Ttl,
    error::Mistakes,
    function::{Attributes, Function, mentions},
};

pub(crate) struct Model {
    pub(crate) krate: Path,
    pub(crate) site: Site,
    pub(crate) stack: Option<Expr>,
    pub(crate) key: Key,
    pub(crate) tags: Vec<Tag>,
    pub(crate) attributes: Attributes,
    pub(crate) visibility: Visibility,
    pub(crate) name: Ident,
    /// Lifetimes and the `where` clause.
    pub(crate) generics: Generics,
    pub(crate) arguments: Vec<Argument>,
    /// The arguments of which tags, stack or key name a part.
    pub(crate) viewed: Vec<usize>,
    pub(crate) output: Type,
    pub(crate) body: Group,
}

/// What is known of the cache before any call.
pub(crate) struct Site {
    pub(crate) cache: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) version: Option<u32>,
    pub(crate) ttl: Option<Ttl>,
}

pub(crate) enum Key {
    /// The arguments that are not skipped.
    Arguments,
    /// `key = …`
    Expr(Expr),
}

/// Longer tuples have no `Hash`.
const MOST_KEY_PARTS: usize = 12;

impl Model {
    pub(crate) fn new(mut args: Args, function: Function, mistakes: &mut Mistakes) -> Self {
        let Function { attributes, visibility, signature, body } = function;
        check_signature(&signature, mistakes);
        let output = output(&signature);
        refuse_in_return(&output, mistakes);
        let mut arguments = read_arguments(&signature, mistakes);
        skip(&args, &signature.ident, &mut arguments, mistakes);
        settle_key(&args, &mut arguments, mistakes);
        resolve_templates(&mut args.tags, &signature.ident, &arguments, mistakes);
        check_ttl(&args.ttl, &arguments, mistakes);
        let viewed = find_mentions(&args, &mut arguments);
        Self {
            krate: args.krate.unwrap_or_else(|| parse_quote!(::cache_core)),
            site: Site {
                cache: args.cache.map(|name| name.value()),
                policy: args.policy.map(|kind| kind.value()),
                version: args.version,
                ttl: args.ttl,
            },
            stack: args.stack,
            key: args.key.map_or(Key::Arguments, |key| Key::Expr(key.value)),
            tags: args.tags,
            attributes,
            visibility,
            name: signature.ident,
            generics: signature.generics,
            arguments,
            viewed,
            output,
            body,
        }
    }
}

fn check_signature(signature: &Signature, mistakes: &mut Mistakes) {
    if signature.asyncness.is_none() {
        mistakes.at(signature.fn_token.span, "`#[cached]` is for asynchronous functions; write `async fn`");
    }
    if let Some(token) = &signature.constness {
        mistakes.at(token.span, "a cached function can't be `const`");
    }
    if let syn::Safety::Unsafe(token) = &signature.safety {
        mistakes.at(
            token.span,
            "a cached function can't be `unsafe`: its body runs at other times than the call that vouches for it",
        );
    }
    if let Some(abi) = &signature.abi {
        mistakes.at(abi.extern_token.span, "a cached function can't be `extern`");
    }
    for parameter in &signature.generics.params {
        let (what, name) = match parameter {
            GenericParam::Lifetime(_) => continue,
            GenericParam::Type(parameter) => ("type", &parameter.ident),
            GenericParam::Const(parameter) => ("constant", &parameter.ident),
        };
        mistakes.at(
            name.span(),
            format!("a cached function can't be generic over the {what} `{name}`, because a cache holds one type of value; write one cached function per {what} and let them call a generic one"),
        );
    }
}

fn output(signature: &Signature) -> Type {
    match &signature.output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, output) => (**output).clone(),
    }
}

fn read_arguments(signature: &Signature, mistakes: &mut Mistakes) -> Vec<Argument> {
    let inputs = signature.inputs.iter().enumerate();
    inputs.filter_map(|(index, input)| Argument::read(index, input, mistakes)).collect()
}

fn skip(args: &Args, function: &Ident, arguments: &mut [Argument], mistakes: &mut Mistakes) {
    let Some(Given { name, value: skipped }) = &args.skip else {
        return;
    };
    if args.key.is_some() {
        mistakes.at(*name, "`skip` has no effect beside `key`, which is the whole key already; remove one of them");
    }
    for name in skipped {
        if let Some(argument) = arguments.iter_mut().find(|argument| argument.name == *name) {
            if argument.role == Role::Skipped {
                mistakes.at(name.span(), format!("`{name}` is skipped twice"));
            }
            argument.role = Role::Skipped;
        } else if arguments.iter().any(|argument| argument.parts().contains(name)) {
            mistakes.at(
                name.span(),
                format!("`{name}` is a part of an argument; skip a whole one, by giving it one name and taking it apart in the body"),
            );
        } else {
            mistakes.at(name.span(), unknown(name, function, arguments));
        }
    }
}

fn unknown(name: &Ident, function: &Ident, arguments: &[Argument]) -> String {
    let known: Vec<_> = names(arguments).map(|name| format!("`{name}`")).collect();
    match known.as_slice() {
        [] => format!("`{name}` is not an argument of `{function}`, which has none"),
        known => format!("`{name}` is not an argument of `{function}`; there are: {}", known.join(", ")),
    }
}

/// Every name that stands for an argument or for a part of one.
fn names(arguments: &[Argument]) -> impl Iterator<Item = Ident> {
    arguments.iter().flat_map(
        |argument| {
            if argument.is_taken_apart() { argument.parts() } else { vec![argument.name.clone()] }
        },
    )
}

/// An expression is the whole key; otherwise there is a limit to its parts.
fn settle_key(args: &Args, arguments: &mut [Argument], mistakes: &mut Mistakes) {
    if args.key.is_some() {
        arguments.iter_mut().for_each(|argument| argument.role = Role::Skipped);
        return;
    }
    let mut parts = arguments.iter().filter(|argument| argument.role == Role::Key);
    if let Some(extra) = parts.nth(MOST_KEY_PARTS) {
        mistakes.at(
            extra.written.span(),
            format!("a key has at most {MOST_KEY_PARTS} arguments; `skip(…)` some, give the `key`, or take a struct"),
        );
    }
}

/// Finds the arguments that templates name, so that generated code names them as the signature does.
fn resolve_templates(tags: &mut [Tag], function: &Ident, arguments: &[Argument], mistakes: &mut Mistakes) {
    for tag in tags {
        let Tag::Template(template) = tag else {
            continue;
        };
        for name in &mut template.names {
            match names(arguments).find(|known| known == name) {
                Some(known) => *name = known,
                None => mistakes.at(name.span(), unknown(name, function, arguments)),
            }
        }
    }
}

/// The time to live belongs to the cache, not to a call.
fn check_ttl(ttl: &Option<Ttl>, arguments: &[Argument], mistakes: &mut Mistakes) {
    let Some(Ttl::Expr(ttl)) = ttl else { return };
    if let Some(name) = names(arguments).find(|name| mentions(ttl, name)) {
        mistakes.at(
            ttl.span(),
            format!("a `ttl` is evaluated once for all calls, so it can't depend on the argument `{name}`"),
        );
    }
}

/// Finds out which arguments the options read. Returns those that are read by a part of their pattern.
fn find_mentions(args: &Args, arguments: &mut [Argument]) -> Vec<usize> {
    let mut viewed = Vec::new();
    for (index, argument) in arguments.iter_mut().enumerate() {
        let names = if argument.is_taken_apart() { argument.parts() } else { vec![argument.name.clone()] };
        argument.mention = mention(args, &names);
        if argument.is_taken_apart() && argument.mention != Mention::Nowhere {
            viewed.push(index);
        }
    }
    viewed
}

fn mention(args: &Args, names: &[Ident]) -> Mention {
    let any_in = |expr: &Expr| names.iter().any(|name| mentions(expr, name));
    let in_tags = args.tags.iter().any(|tag| match tag {
        Tag::Template(template) => template.names.iter().any(|name| names.contains(name)),
        Tag::Expr(tag) => any_in(tag),
    });
    if in_tags || args.stack.as_ref().is_some_and(any_in) {
        Mention::BesideLoad
    } else if args.key.as_ref().is_some_and(|key| any_in(&key.value)) {
        Mention::InKey
    } else {
        Mention::Nowhere
    }
}
