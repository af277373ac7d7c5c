//! Options and signature together. A [`Model`] can be printed as it is: every rule was checked while it was made.

use proc_macro2::{Group, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{
    Expr, GenericArgument, GenericParam, Generics, Ident, Path, PathArguments, ReturnType, Signature, Type, Visibility,
    parse_quote, spanned::Spanned,
};

use crate::{
    args::{Args, CacheErr, Condition, Given, Name, Tag},
    argument::{Argument, Mention, NO_INSTANCE, OPAQUE, Role, bindings, refuse_in_return},
    error::Mistakes,
    function::{Attributes, Function, mentions},
    key::Key,
    setting::{Setting, check_synchronous, check_tiers, check_times},
    surroundings,
};

pub(crate) struct Model {
    pub(crate) krate: Path,
    pub(crate) site: Site,
    pub(crate) stack: Option<Expr>,
    pub(crate) key: Key,
    pub(crate) reading: Reading,
    pub(crate) tags: Vec<Tag>,
    pub(crate) attributes: Attributes,
    pub(crate) visibility: Visibility,
    pub(crate) name: Ident,
    pub(crate) is_async: bool,
    /// Whether it stands in an `impl`; a receiver is its first argument.
    pub(crate) is_associated: bool,
    pub(crate) generics: Generics,
    pub(crate) arguments: Vec<Argument>,
    /// The arguments of which tags, stack or key name a part.
    pub(crate) viewed: Vec<usize>,
    pub(crate) output: Type,
    /// What is cached, as far as the output shows it: what is in `Ok`, or all of it.
    pub(crate) value: Type,
    pub(crate) body: Group,
}

/// What is known of the cache before any call.
pub(crate) struct Site {
    pub(crate) cache: Option<Name>,
    pub(crate) policy: Option<String>,
    pub(crate) version: Option<u32>,
    pub(crate) settings: Vec<Setting>,
}

/// How calls read, and what they store.
pub(crate) struct Reading {
    pub(crate) condition: Option<Condition>,
    pub(crate) validated: bool,
    pub(crate) default_on_error: Option<Expr>,
    pub(crate) to_the_end: bool,
    pub(crate) cache_none: bool,
    pub(crate) cache_err: Option<CacheErr>,
    pub(crate) cache_if: Option<Expr>,
}

/// What tells an asynchronous function from one that is not.
pub(crate) struct Manner {
    pub(crate) asyncness: TokenStream,
    pub(crate) verb: Ident,
    pub(crate) wait: TokenStream,
}

/// Longer tuples have no `Hash`.
const MOST_KEY_PARTS: usize = 12;

impl Model {
    pub(crate) fn new(mut args: Args, function: Function, mistakes: &mut Mistakes) -> Self {
        let Function { attributes, visibility, signature, body } = function;
        check_signature(&signature, mistakes);
        let is_associated = args.associated || stands_in_impl(&signature, &body);
        if !is_rewritten(&signature) {
            surroundings::check(&signature, &visibility, args.associated, is_associated, mistakes);
        }
        let output = output(&signature);
        if !is_rewritten(&signature) && !returns_future(&signature.output) {
            refuse_in_return(&output, mistakes);
        }
        let mut arguments = read_arguments(&signature, mistakes);
        skip(&args, &signature, &mut arguments, mistakes);
        settle_instance(&args, &mut arguments, mistakes);
        settle_key(&args, &mut arguments, mistakes);
        resolve_templates(&mut args.tags, &signature.ident, &arguments, mistakes);
        check_times(&args.settings, mistakes);
        check_tiers(&args.settings, args.validated, mistakes);
        if signature.asyncness.is_none() && !is_rewritten(&signature) {
            check_synchronous(&args.settings, args.validated, args.to_the_end, mistakes);
        }
        check_default(&args, mistakes);
        check_tags(&args.tags, &arguments, mistakes);
        check_name(args.cache.as_ref(), &arguments, mistakes);
        check_settings(&args.settings, &arguments, mistakes);
        check_judge("cache_if", args.cache_if.as_ref(), &arguments, mistakes);
        check_judge("cache_err", args.cache_err.as_ref().and_then(CacheErr::judge), &arguments, mistakes);
        let key = Key::of(args.key.as_ref().map(|key| &key.value), &arguments);
        let viewed = find_mentions(&args, &key, &mut arguments);
        let keeps_errors = args.cache_err.is_some();
        Self {
            krate: args.krate.unwrap_or_else(|| parse_quote!(::cache_core)),
            site: Site {
                cache: args.cache,
                policy: args.policy.map(|kind| kind.value()),
                version: args.version,
                settings: args.settings,
            },
            stack: args.stack,
            key,
            reading: Reading {
                condition: args.condition,
                validated: args.validated.is_some(),
                default_on_error: args.default_on_error.map(|default| default.value),
                to_the_end: args.to_the_end.is_some(),
                cache_none: args.cache_none,
                cache_err: args.cache_err,
                cache_if: args.cache_if,
            },
            tags: args.tags,
            attributes,
            visibility,
            is_async: signature.asyncness.is_some(),
            is_associated,
            name: signature.ident,
            generics: signature.generics,
            arguments,
            viewed,
            value: in_ok(&output).filter(|_| !keeps_errors).unwrap_or_else(|| output.clone()),
            output,
            body,
        }
    }

    /// How its functions begin, the verb that an entry is asked by, and how they wait for the answer.
    pub(crate) fn manner(&self, verb: &str) -> Manner {
        match self.is_async {
            true => Manner { asyncness: quote!(async), verb: format_ident!("{verb}"), wait: quote!(.await) },
            false => Manner { asyncness: quote!(), verb: format_ident!("{verb}_here"), wait: quote!() },
        }
    }

    /// The name of something that goes with the function: in its own name space, or as a method beside it.
    pub(crate) fn companion(&self, what: &str) -> Ident {
        let Self { name, is_associated, .. } = self;
        match (is_associated, what.strip_prefix("__")) {
            (false, _) => Ident::new(what, Span::call_site()),
            (true, None) => format_ident!("{name}_{what}"),
            (true, Some(hidden)) => format_ident!("__{name}_{hidden}", span = name.span()),
        }
    }

    /// The path of something that goes with the function, and is generic as it is.
    pub(crate) fn path(&self, what: &str) -> TokenStream {
        let (name, companion) = (&self.name, self.companion(what));
        let instance = instance(&self.generics);
        if self.is_associated { quote!(Self::#companion #instance) } else { quote!(#name::#companion #instance) }
    }

    /// Whether there are many of it: over types or constants of its own.
    pub(crate) fn is_generic(&self) -> bool {
        self.generics.params.iter().any(|parameter| !matches!(parameter, GenericParam::Lifetime(_)))
    }
}

/// Types and constants, as they are passed on: `::<T, N>`.
pub(crate) fn instance(generics: &Generics) -> Option<TokenStream> {
    let parameters = generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(parameter) => Some(&parameter.ident),
        GenericParam::Const(parameter) => Some(&parameter.ident),
    });
    let parameters: Vec<_> = parameters.collect();
    (!parameters.is_empty()).then(|| quote!(::<#(#parameters),*>))
}

fn check_signature(signature: &Signature, mistakes: &mut Mistakes) {
    if is_rewritten(signature) {
        let message = "`#[async_trait]` rewrote this method before `#[cached]` saw it; put a `#[cached]` on the `impl` too, above \
                       `#[async_trait]`";
        mistakes.at(signature.ident.span(), message);
    }
    if signature.asyncness.is_none() && returns_future(&signature.output) {
        mistakes.at(
            signature.fn_token.span,
            "a function that returns a future gives nothing to cache when it returns; write `async fn`",
        );
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
}

/// Whether it is an `async fn` by other words.
fn returns_future(output: &ReturnType) -> bool {
    let future = Ident::new("Future", Span::call_site());
    matches!(output, ReturnType::Type(_, ty) if matches!(**ty, Type::ImplTrait(_)) && mentions(ty, &future))
}

/// Whether `#[async_trait]` was there first.
fn is_rewritten(signature: &Signature) -> bool {
    signature.generics.lifetimes().any(|parameter| parameter.lifetime.ident == "async_trait")
}

/// What has a receiver does, and what says `Self`; but a body may hold an `impl` of its own.
fn stands_in_impl(signature: &Signature, body: &Group) -> bool {
    let own = Ident::new("Self", Span::call_site());
    let says = |word: &str| mentions(body, &Ident::new(word, Span::call_site()));
    signature.receiver().is_some()
        || mentions(&signature.inputs, &own)
        || mentions(&signature.output, &own)
        || (says("Self") && !says("impl") && !says("trait"))
}

fn output(signature: &Signature) -> Type {
    match &signature.output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, output) => (**output).clone(),
    }
}

/// The `T` of a `Result<T, …>`.
fn in_ok(output: &Type) -> Option<Type> {
    let path = match output {
        Type::Group(inner) => return in_ok(&inner.elem),
        Type::Paren(inner) => return in_ok(&inner.elem),
        Type::Path(path) => path.path.segments.last().filter(|last| last.ident == "Result")?,
        _ => return None,
    };
    let PathArguments::AngleBracketed(arguments) = &path.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    })
}

fn read_arguments(signature: &Signature, mistakes: &mut Mistakes) -> Vec<Argument> {
    let inputs = signature.inputs.iter().enumerate();
    let is_async = signature.asyncness.is_some();
    inputs.filter_map(|(index, input)| Argument::read(index, input, is_async, mistakes)).collect()
}

fn skip(args: &Args, signature: &Signature, arguments: &mut [Argument], mistakes: &mut Mistakes) {
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
        } else if name != "self" || signature.receiver().is_none() {
            mistakes.at(name.span(), unknown(name, &signature.ident, arguments));
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

/// An instance is no part of the key by itself: only its owner knows what of it matters.
fn settle_instance(args: &Args, arguments: &mut [Argument], mistakes: &mut Mistakes) {
    let Some(instance) = arguments.iter_mut().find(|argument| argument.name == "self") else { return };
    if args.key.is_none() && instance.role == Role::Key {
        mistakes.at(instance.name.span(), NO_INSTANCE);
    }
    instance.role = Role::Skipped;
}

/// An expression is the whole key; otherwise there is a limit to its parts.
fn settle_key(args: &Args, arguments: &mut [Argument], mistakes: &mut Mistakes) {
    if args.key.is_some() {
        arguments.iter_mut().for_each(|argument| argument.role = Role::Skipped);
        return;
    }
    let mut parts = arguments.iter().filter(|argument| argument.role == Role::Key);
    parts.clone().filter_map(|part| part.opaque).for_each(|place| mistakes.at(place, OPAQUE));
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

/// A cache has one name for all calls.
fn check_name(name: Option<&Name>, arguments: &[Argument], mistakes: &mut Mistakes) {
    let Some(Name::Expr(name)) = name else { return };
    if let Some(argument) = names(arguments).find(|argument| mentions(name, argument)) {
        mistakes.at(
            name.span(),
            format!("`cache` names one cache for all calls, so it can't depend on the argument `{argument}`"),
        );
    }
}

/// The policy belongs to the cache, not to a call.
fn check_settings(settings: &[Setting], arguments: &[Argument], mistakes: &mut Mistakes) {
    for Setting { name: setting, value } in settings {
        let place = value.span().unwrap_or_else(|| setting.span());
        if let Some(argument) = names(arguments).find(|argument| value.mentions(argument)) {
            mistakes.at(
                place,
                format!("`{setting}` is evaluated once for all calls, so it can't depend on the argument `{argument}`"),
            );
        }
    }
}

/// What is loaded is judged in the load's task, on its own.
fn check_judge(option: &str, judge: Option<&Expr>, arguments: &[Argument], mistakes: &mut Mistakes) {
    let Some(judge) = judge else { return };
    if let Some(argument) = argument_in(judge, arguments) {
        mistakes.at(
            judge.span(),
            format!("`{option}` judges what was loaded, and the argument `{argument}` is gone by then; `when` and `unless` judge the arguments"),
        );
    }
}

/// And so is it tagged.
fn check_tags(tags: &[Tag], arguments: &[Argument], mistakes: &mut Mistakes) {
    for tag in tags {
        if let Tag::OfValue(closure) = tag
            && let Some(argument) = argument_in(closure, arguments)
        {
            mistakes.at(
                closure.span(),
                format!("a closure in `tags` reads what was loaded, and the argument `{argument}` is gone by then; give it a tag of its own: \"{{{argument}}}\""),
            );
        }
    }
}

/// An argument that is spoken of, and not by a closure that means its own by the name.
fn argument_in(judge: &Expr, arguments: &[Argument]) -> Option<Ident> {
    let own = match judge {
        Expr::Closure(closure) => closure.inputs.iter().flat_map(bindings).collect(),
        _ => Vec::new(),
    };
    names(arguments).find(|argument| !own.contains(argument) && mentions(judge, argument))
}

/// To `cache_err` an error is a value, and no call fails with one.
fn check_default(args: &Args, mistakes: &mut Mistakes) {
    if let (Some(default), Some(_)) = (&args.default_on_error, &args.cache_err) {
        mistakes.at(
            default.name,
            "`default_on_error` stands in for an `Err`, and `cache_err` makes one a value to be kept; leave one of them out",
        );
    }
}

/// Finds out which arguments the options read. Returns those that are read by a part of their pattern.
fn find_mentions(args: &Args, key: &Key, arguments: &mut [Argument]) -> Vec<usize> {
    let mut viewed = Vec::new();
    for (index, argument) in arguments.iter_mut().enumerate() {
        let names = if argument.is_taken_apart() { argument.parts() } else { vec![argument.name.clone()] };
        argument.mention = mention(args, key, &names);
        argument.gives_stack = names_any(args.stack.as_ref(), &names);
        if argument.is_taken_apart() && argument.mention != Mention::Nowhere {
            viewed.push(index);
        }
    }
    viewed
}

fn mention(args: &Args, key: &Key, names: &[Ident]) -> Mention {
    let in_tags = args.tags.iter().any(|tag| match tag {
        Tag::Template(template) => template.names.iter().any(|name| names.contains(name)),
        Tag::Expr(tag) => names_any(Some(tag), names),
        Tag::OfValue(_) => false,
    });
    if in_tags || names_any(args.stack.as_ref(), names) || key.lends(names) {
        Mention::BesideLoad
    } else if names_any(args.key.as_ref().map(|key| &key.value), names)
        || names_any(args.condition.as_ref().map(Condition::expr), names)
        || names_any(args.default_on_error.as_ref().map(|default| &default.value), names)
    {
        Mention::InKey
    } else {
        Mention::Nowhere
    }
}

fn names_any(expr: Option<&Expr>, names: &[Ident]) -> bool {
    names.iter().any(|name| mentions(expr, name))
}
