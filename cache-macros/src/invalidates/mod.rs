//! `#[invalidates(…)]`: what a function makes obsolete, read and checked.

mod expand;

use proc_macro2::{Group, Span, TokenStream};
use quote::quote;
use syn::{
    Attribute, Expr, ExprMethodCall, FnArg, Ident, Path, ReceiverKind, Result, Signature, Token, Type, TypeReference,
    Visibility,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    parse_quote,
    punctuated::Punctuated,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::{
    args::{Tag, end_of_option, flag, items, skip_past_comma, tags, value},
    argument::bindings,
    error::Mistakes,
    setting::Setting,
};

/// The generated code; where there were mistakes, they and the function as it was.
pub(crate) fn expansion(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let mut options = Options::parse(options, &mut mistakes);
    let change = mistakes.keep(syn::parse2::<Change>(item.clone()));
    if let Some(change) = &change {
        check(&mut options, change, &mut mistakes);
    }
    match (mistakes.report(), change) {
        (None, Some(change)) => expand::expand(&options, &change),
        (report, _) => quote!(#item #report),
    }
}

/// What stands between the parentheses.
#[derive(Default)]
struct Options {
    entries: Vec<Entry>,
    tags: Vec<Tag>,
    stack: Option<Expr>,
    before: Option<Span>,
    guarded: Option<Span>,
    expire: Option<Span>,
    hold_off: Option<Setting>,
    krate: Option<Path>,
}

/// A cached function or method, with the arguments of the entry.
enum Entry {
    /// `user(org, id)`
    Function { function: Path, arguments: Punctuated<Expr, Token![,]> },
    /// `self.users.user(id)`
    Method(ExprMethodCall),
}

/// The function that changes something, its body left as it is.
struct Change {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
    body: Group,
}

impl Options {
    fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut options = Self::default();
        let parsed = (|input: ParseStream| {
            while !input.is_empty() {
                let read = options.read(input).and_then(|()| end_of_option(input));
                mistakes.keep(read);
                skip_past_comma(input)?;
            }
            Ok(())
        })
        .parse2(tokens);
        mistakes.keep(parsed);
        options
    }

    fn read(&mut self, input: ParseStream) -> Result<()> {
        let ahead = input.fork();
        let Ok(name) = ahead.call(Ident::parse_any) else { return self.read_entry(input) };
        if ahead.peek(syn::token::Paren) || ahead.peek(Token![::]) {
            return self.read_entry(input);
        }
        if ahead.peek(Token![.]) {
            return self.read_method(input);
        }
        input.call(Ident::parse_any)?;
        match name.to_string().as_str() {
            "tags" => self.tags = value(input, &name, tags)?,
            "stack" => self.stack = Some(value(input, &name, |input| input.parse())?),
            "crate" => self.krate = Some(value(input, &name, |input| input.parse())?),
            "before" => self.before = flag(input, &name)?.then(|| name.span()),
            "expire" => self.expire = flag(input, &name)?.then(|| name.span()),
            "hold_off" => self.hold_off = Some(value(input, &name, |input| Setting::parse(&name, input))?),
            "guarded" => self.guarded = flag(input, &name)?.then(|| name.span()),
            other => {
                let why = if input.peek(Token![=]) {
                    format!("`{other}` is not an option of `#[invalidates]`")
                } else {
                    format!("`{other}` is named without the arguments of an entry: `{other}(…)`")
                };
                let options =
                    "beside cached functions there are: before, crate, expire, guarded, hold_off, stack, tags";
                return Err(syn::Error::new(name.span(), format!("{why}; {options}")));
            }
        }
        Ok(())
    }

    fn read_entry(&mut self, input: ParseStream) -> Result<()> {
        let function: Path = input.parse()?;
        if !input.peek(syn::token::Paren) {
            let message = "a cached function is named with the arguments of its entry: `user(org, id)`";
            return Err(syn::Error::new(function.span(), message));
        }
        self.entries.push(Entry::Function { function, arguments: items(input)? });
        Ok(())
    }

    fn read_method(&mut self, input: ParseStream) -> Result<()> {
        let call: Expr = input.parse()?;
        let Expr::MethodCall(call) = call else {
            let message = "a cached method is named with the arguments of its entry: `self.user(id)`";
            return Err(syn::Error::new(call.span(), message));
        };
        self.entries.push(Entry::Method(call));
        Ok(())
    }

    fn krate(&self) -> Path {
        self.krate.clone().unwrap_or_else(|| parse_quote!(::cache_core))
    }
}

impl Parse for Change {
    fn parse(input: ParseStream) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature = input.parse().map_err(|_| input.error("`#[invalidates]` goes on an `async fn`"))?;
        if !input.peek(syn::token::Brace) {
            let message = "`#[invalidates]` needs the body of the function: put it on the implementation";
            return Err(input.error(message));
        }
        Ok(Self { attributes, visibility, signature, body: input.parse()? })
    }
}

fn check(options: &mut Options, change: &Change, mistakes: &mut Mistakes) {
    let signature = &change.signature;
    if signature.asyncness.is_none() {
        let message = "`#[invalidates]` is for asynchronous functions, since it waits until the shared store was told; \
                       write `async fn`, or call `invalidate` yourself";
        mistakes.at(signature.fn_token.span, message);
    }
    if options.entries.is_empty() && options.tags.is_empty() && mistakes.is_empty() {
        let message = "this invalidates nothing; name entries, tags or both: `#[invalidates(user(org, id), tags = [\"org:{org}\"])]`";
        mistakes.at(Span::call_site(), message);
    }
    if let (Some(stack), true) = (&options.stack, options.tags.is_empty()) {
        let message = "`stack` says whose tags are meant, and there are none; an entry is in the stack of its function";
        mistakes.at(stack.span(), message);
    }
    resolve_templates(&mut options.tags, signature, mistakes);
    check_guarded(options, signature, mistakes);
    check_manner(options, mistakes);
}

/// How it is revoked is said once.
fn check_manner(options: &Options, mistakes: &mut Mistakes) {
    let hold_off = options.hold_off.as_ref().map(|hold_off| hold_off.name.span());
    let found = [
        (
            options.expire,
            options.guarded.is_some(),
            "a guarded write leaves nothing old to be served; leave `expire` or `guarded` out",
        ),
        (
            options.expire,
            hold_off.is_some(),
            "what is kept out by `hold_off` can't be served as stale; leave `expire` or `hold_off` out",
        ),
        (
            hold_off,
            options.guarded.is_some(),
            "a guard ends with the write, and can't be held for longer; leave `guarded` or `hold_off` out",
        ),
    ];
    for (place, other, message) in found {
        if let (Some(place), true) = (place, other) {
            mistakes.at(place, message);
        }
    }
    for tag in &options.tags {
        if let Tag::OfValue(closure) = tag {
            mistakes.at(
                closure.span(),
                "what is revoked is settled before the body runs, so a tag can't be made of what it returns; call `invalidate_tag` at its end",
            );
        }
    }
}

fn resolve_templates(tags: &mut [Tag], signature: &Signature, mistakes: &mut Mistakes) {
    let known: Vec<Ident> = signature.inputs.iter().flat_map(names).collect();
    for tag in tags {
        let Tag::Template(template) = tag else { continue };
        for name in &mut template.names {
            match known.iter().find(|known| *known == name) {
                Some(known) => *name = known.clone(),
                None => mistakes.at(
                    name.span(),
                    format!("`{name}` is not an argument of `{}`; for anything else give an expression instead of a template: `tags = [format!(…)]`", signature.ident),
                ),
            }
        }
    }
}

fn names(input: &FnArg) -> Vec<Ident> {
    match input {
        FnArg::Typed(argument) => bindings(&argument.pat),
        FnArg::Receiver(_) => Vec::new(),
    }
}

/// A guard is held on one entry, for a body that may outlive the call.
fn check_guarded(options: &Options, signature: &Signature, mistakes: &mut Mistakes) {
    let Some(guarded) = options.guarded else { return };
    if let Some(before) = options.before {
        mistakes.at(before, "a guarded write revokes before and after in any case; leave `before` out");
    }
    if options.entries.len() != 1 || !options.tags.is_empty() {
        let message = "`guarded` holds a guard on one entry: name one cached function, and no tags";
        mistakes.at(guarded, message);
    }
    for input in &signature.inputs {
        let mut borrowed = Borrowed(Vec::new());
        match input {
            FnArg::Typed(argument) => borrowed.visit_type(&argument.ty),
            FnArg::Receiver(receiver) => borrowed.visit_receiver(receiver),
        }
        for place in borrowed.0 {
            let message = "a guarded function can't borrow from its caller, because a write that was begun is finished even if \
                           the caller is gone; take it by value, an `Arc` of it for instance";
            mistakes.at(place, message);
        }
    }
}

struct Borrowed(Vec<Span>);

impl Visit<'_> for Borrowed {
    fn visit_receiver_kind(&mut self, kind: &ReceiverKind) {
        match kind {
            ReceiverKind::Reference(and, ..) => self.0.push(and.span),
            kind => visit::visit_receiver_kind(self, kind),
        }
    }

    fn visit_type_reference(&mut self, reference: &TypeReference) {
        match &reference.lifetime {
            Some(lifetime) if lifetime.ident == "static" => visit::visit_type_reference(self, reference),
            _ => self.0.push(reference.and_token.span),
        }
    }
}

/// Whether a type has parts that have no name.
fn is_nameless(ty: &Type) -> bool {
    struct Impl(bool);
    impl Visit<'_> for Impl {
        fn visit_type_impl_trait(&mut self, _: &syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut found = Impl(false);
    found.visit_type(ty);
    found.0
}
