//! The function that changes something, as code: its body as it was, and round it what is revoked.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{ExprMethodCall, Ident, Path, PathArguments, ReturnType, Type, ext::IdentExt, parse_quote, spanned::Spanned};

use super::{Change, Entry, Options, is_nameless};
use crate::{
    args::Tag,
    expand::private_of,
    setting::{Setting, Value},
    site::duration,
};

pub(super) fn expand(options: &Options, change: &Change) -> TokenStream {
    let Change { attributes, visibility, signature, .. } = change;
    let wrapped = match options.guarded {
        Some(_) => guarded(options, change),
        None => revoking(options, change),
    };
    quote! {
        #(#attributes)*
        #visibility #signature {
            #wrapped
        }
    }
}

/// What is revoked is settled before the body takes the arguments.
fn revoking(options: &Options, change: &Change) -> TokenStream {
    let krate = options.krate();
    let revoking = Ident::new("__revoking", Span::mixed_site());
    let ended = Ident::new("__ended", Span::mixed_site());
    let entries = options.entries.iter().map(target);
    let tags = tags(options);
    let manner = manner(options);
    let body = body(options, change);
    let (before, is_over) = match options.before {
        Some(_) => (quote!(#revoking.before().await;), quote!(true)),
        None => (quote!(), quote!((&&#krate::__private::Ended(&#ended)).succeeded())),
    };
    quote! {
        #[allow(unused_imports, reason = "what is returned decides which of them is used")]
        use #krate::__private::{ByEnd as _, ByResult as _};
        let #revoking = #krate::__private::Revoking::new()#(.entry(#entries))*#tags #manner;
        #before
        let #ended = #body.await;
        #revoking.after(#is_over).await;
        #ended
    }
}

/// How the entries and tags are revoked, if it is said.
fn manner(options: &Options) -> Option<TokenStream> {
    if options.expire.is_some() {
        return Some(quote!(.softly()));
    }
    let Setting { name, value } = options.hold_off.as_ref()?;
    let verb = Ident::new("hold_off", Span::call_site().located_at(name.span()));
    let lag = match value {
        Value::Time(lag) => duration(*lag),
        Value::Expr(lag) => quote!(#lag),
        _ => unreachable!("it is a time or an expression"),
    };
    Some(quote!(.#verb(#lag)))
}

/// A write of the entry; what can't be guarded is not done.
fn guarded(options: &Options, change: &Change) -> TokenStream {
    let target = options.entries.first().map(target);
    let local = Ident::new("__target", Span::mixed_site());
    let body = body(options, change);
    let place = match &change.signature.output {
        ReturnType::Type(_, output) => Span::call_site().located_at(output.span()),
        ReturnType::Default => Span::call_site().located_at(change.signature.ident.span()),
    };
    let private = private_of(&options.krate(), place);
    let guarded = quote_spanned!(place=> #private::guarded);
    quote! {
        let #local = #target;
        #guarded(#local.write(#body).await)
    }
}

fn target(entry: &Entry) -> TokenStream {
    match entry {
        Entry::Function { function, arguments } if is_associated(function) => {
            let mut target = function.clone();
            if let Some(last) = target.segments.last_mut() {
                last.ident = format_ident!("__{}_target", last.ident, span = last.ident.span());
            }
            quote!(#target(#arguments))
        }
        Entry::Function { function, arguments } => {
            let place = function.segments.last().map_or_else(Span::call_site, |last| last.ident.span());
            let target = Ident::new("__target", Span::call_site().located_at(place));
            let (function, instance) = apart(function);
            quote!(#function::#target #instance(#arguments))
        }
        Entry::Method(ExprMethodCall { receiver, method, turbofish, args, .. }) => {
            let target = format_ident!("__{method}_target", span = method.span());
            quote!(#receiver.#target #turbofish(#args))
        }
    }
}

/// `Self::count`, `shop::Users::count`: a function of a type, whose name begins as those of types do.
fn is_associated(function: &Path) -> bool {
    let of = function.segments.iter().rev().nth(1);
    of.is_some_and(|of| of.ident.unraw().to_string().starts_with(char::is_uppercase))
}

/// `row::<User>` as `row` and `::<User>`.
fn apart(function: &Path) -> (Path, PathArguments) {
    let mut function = function.clone();
    let instance = function.segments.last_mut().map(|last| std::mem::take(&mut last.arguments));
    (function, instance.unwrap_or_default())
}

fn tags(options: &Options) -> TokenStream {
    if options.tags.is_empty() {
        return quote!();
    }
    let krate = options.krate();
    let tags = options.tags.iter().map(|tag| match tag {
        Tag::Template(template) => {
            let text = &template.text;
            let values = &template.names;
            quote!(::std::format!(#text #(, #values = #values)*))
        }
        Tag::Expr(tag) => {
            let place = Span::call_site().located_at(tag.span());
            let private = private_of(&krate, place);
            quote_spanned!(place=> #private::tag(#tag))
        }
        Tag::OfValue(_) => unreachable!("it was refused"),
    });
    let stack = match &options.stack {
        Some(stack) => {
            let place = Span::call_site().located_at(stack.span());
            let private = private_of(&krate, place);
            quote_spanned!(place=> ::core::option::Option::Some(#private::AsStack::as_stack(&(#stack))))
        }
        None => quote!(::core::option::Option::None),
    };
    quote!(.tags(#stack, ::std::vec![#(#tags),*]))
}

/// The body, in a block of its own. A `return` that never comes tells the compiler its type.
fn body(options: &Options, change: &Change) -> TokenStream {
    let krate: Path = options.krate();
    let output: Type = match &change.signature.output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, output) => (**output).clone(),
    };
    let body = &change.body;
    let typed = (!is_nameless(&output)).then(|| {
        let place = Span::call_site().located_at(output.span());
        let private = private_of(&krate, place);
        quote_spanned!(place=> if false { return #private::never::<#output>(); })
    });
    quote!(async move { #typed #body })
}
