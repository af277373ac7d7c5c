//! A [`Model`] as code. Nothing is decided here, and what can be ordinary Rust is: it lives in `cache_core::__private`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Ident, Path, ext::IdentExt, spanned::Spanned};

use crate::{
    args::{CacheErr, Condition, Tag},
    argument::{Argument, Passing, Role},
    companions::companions,
    key::{Key, Part},
    model::{Manner, Model, Reading},
    site::site,
};

pub(crate) fn expand(model: &Model) -> TokenStream {
    let function = function(model);
    let companions = if model.is_associated { beside(model) } else { name_space(model) };
    quote!(#function #companions)
}

/// The function that callers see.
fn function(model: &Model) -> TokenStream {
    let Model { visibility, name, generics, output, .. } = model;
    let conditions = &model.attributes.conditions;
    let outside = &model.attributes.outside;
    let lints = model.attributes.tolerances();
    let parameters = parameters(model);
    let where_clause = &generics.where_clause;
    let asyncness = model.manner("call").asyncness;
    let call = hit_or_call(model);
    quote! {
        #(#conditions)*
        #(#outside)*
        #(#lints)*
        #visibility #asyncness fn #name #generics(#(#parameters),*) -> #output #where_clause {
            #call
        }
    }
}

/// The type of the function's name, which lives beside the function because types and values have names apart.
fn name_space(model: &Model) -> TokenStream {
    let companions = companions(model);
    let (load, site) = (load(model), site(model));
    let Model { visibility, name, .. } = model;
    let conditions = &model.attributes.conditions;
    let lints = model.attributes.tolerances();
    let plain = name.unraw();
    let summary = format!("What goes with the cached function [`{plain}`](fn@{plain}); each takes its arguments.");
    quote! {
        #(#conditions)*
        #[doc = #summary]
        #[allow(
            non_camel_case_types,
            dead_code,
            missing_copy_implementations,
            missing_debug_implementations,
            reason = "a name space, called as its function is"
        )]
        #visibility struct #name {}

        #(#conditions)*
        #(#lints)*
        #[allow(dead_code, reason = "not every cached function needs all that goes with it")]
        impl #name {
            #(#companions)*
            #load
            #site
        }
    }
}

/// A method's companions are methods too, named after it.
fn beside(model: &Model) -> TokenStream {
    let conditions = &model.attributes.conditions;
    let plain = model.name.unraw();
    let summary = format!("Goes with the cached method [`{plain}`](Self::{plain}).");
    let companions = companions(model).into_iter().map(|companion| quote!(#[doc = #summary] #[doc = ""] #companion));
    let items = companions.chain(load(model)).chain([site(model)]).map(|item| {
        let lints = model.attributes.tolerances();
        quote! {
            #(#conditions)*
            #(#lints)*
            #[allow(dead_code, reason = "not every cached method needs all that goes with it")]
            #item
        }
    });
    quote!(#(#items)*)
}

/// Binds the body to arguments that it owns, so that it can outlive the call; one that is not asynchronous runs in the call.
fn load(model: &Model) -> Option<TokenStream> {
    if !model.is_async {
        return None;
    }
    let Model { name, output, generics, .. } = model;
    let where_clause = &generics.where_clause;
    let here = private(model, Span::call_site());
    let (it, uncached) = (model.companion("__load"), model.path("uncached"));
    let arguments = || model.arguments.iter().map(|argument| (argument.local(), &argument.passing));
    let parameters = arguments().map(|(name, passing)| match passing {
        Passing::Owned(ty) => quote!(#name: #ty),
        Passing::Borrowed(ty) => quote!(#name: #here::Lent<#ty>),
    });
    let arguments = arguments().map(|(name, passing)| match passing {
        Passing::Owned(_) => quote!(#name),
        Passing::Borrowed(_) => quote!(#here::lent(&#name)),
    });
    // What keeps the future from being `Send` is reported at the name.
    let place = place_of(name);
    let at_name = private(model, place);
    let boxed = quote_spanned!(place=> #at_name::boxed(async move { #uncached(#(#arguments),*).await }));
    Some(quote! {
        #[doc(hidden)]
        #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
        fn #it #generics(#(#parameters),*) -> #here::Loading<#output> #where_clause {
            #boxed
        }
    })
}

/// L1 is asked before anything else is made, unless it does not count. The rest is asked of `__ask`.
fn hit_or_call(model: &Model) -> TokenStream {
    let krate = &model.krate;
    let Reading { condition, validated, .. } = &model.reading;
    let viewed = views(model, |_| true);
    let bypassed = condition.as_ref().map(|condition| condition_of(model, condition, None));
    let bypass = bypassed.as_ref().map(|(_, settled)| settled);
    let question = match &bypassed {
        Some((bypassed, _)) => quote!(Ask::call(#bypassed)),
        None => quote!(Ask::Call),
    };
    let ask = model.path("__ask");
    let names = model.arguments.iter().map(|argument| &argument.name);
    let asked = quote!(#ask(#(#names,)* #krate::__private::#question));
    let told = match model.is_async {
        true => quote!(#krate::__private::aside(|| #asked).await),
        false => asked,
    };
    if *validated {
        return quote!(#viewed #bypass #told.returned());
    }
    let Entry { preparation, subject, .. } = Entry::new(model);
    let Subject { site, stack, outcome, key } = &subject;
    let hit = quote!({ #preparation #krate::__private::hit(#site, #stack, #outcome, #key) });
    let hit = match &bypassed {
        Some((bypassed, _)) => quote!(if #bypassed { ::core::option::Option::None } else #hit),
        None => hit,
    };
    let local = Ident::new("__hit", Span::mixed_site());
    quote! {
        #viewed
        #bypass
        let #local = #hit;
        match #local {
            ::core::option::Option::Some(hit) => hit,
            ::core::option::Option::None => #told.returned(),
        }
    }
}

/// Which entry of which cache a call is about, in code, where [`views`] are at hand.
struct Entry {
    preparation: TokenStream,
    subject: Subject,
}

/// By what an entry is found.
pub(crate) struct Subject {
    site: TokenStream,
    stack: TokenStream,
    outcome: TokenStream,
    key: TokenStream,
}

impl Entry {
    fn new(model: &Model) -> Self {
        let krate = &model.krate;
        let site = model.path("__site");
        let mut preparation = quote! {
            #[allow(unused_imports, reason = "the return type decides which of them is used")]
            use #krate::__private::{ByConverting as _, ByPanicking as _, ByValue as _};
        };
        let stack = stack(model, &mut preparation);
        let key = key_of(model, &mut preparation);
        let outcome = outcome(model);
        Self { preparation, subject: Subject { site: quote!(#site()), stack, outcome, key } }
    }
}

/// Asks the entry what `question` says.
pub(crate) fn ask(model: &Model, question: &Ident) -> TokenStream {
    let Model { krate, value, .. } = model;
    let Entry { preparation, subject: Subject { site, stack, outcome, key } } = Entry::new(model);
    let viewed = views(model, |_| true);
    let Reading { condition, validated, default_on_error, to_the_end, cache_none, cache_err, cache_if } =
        &model.reading;
    let (mut settled, mut adverbs) = (quote!(), quote!());
    if let Some(condition) = condition {
        let (bypassed, bypass) = condition_of(model, condition, Some(question));
        settled.extend(bypass);
        adverbs.extend(quote!(.bypassed(#bypassed)));
    }
    adverbs.extend(validated.then(|| quote!(.validated())));
    adverbs.extend(to_the_end.then(|| quote!(.to_the_end())));
    adverbs.extend(default_on_error.as_ref().map(|default| {
        let verb = Ident::new("or_default", place_of(default));
        quote!(.#verb(&#question, || #default))
    }));
    adverbs.extend(tags_of_value(model));
    adverbs.extend((!cache_none).then(|| quote!(.without_none())));
    adverbs.extend(cache_err.as_ref().and_then(CacheErr::judge).map(|judge| {
        let verb = Ident::new("errors_if", place_of(judge));
        quote!(.#verb(#judge))
    }));
    adverbs.extend(cache_if.as_ref().map(|judge| {
        let verb = Ident::new("only_if", place_of(judge));
        quote!(.#verb(#judge))
    }));
    let Manner { verb, wait, .. } = model.manner("ask");
    let (tags, load) = (tags(model), loader(model));
    quote! {
        #viewed
        #settled
        #preparation
        #krate::__private::entry(#site, #stack, #outcome, #key) #adverbs.#verb::<#value>(#question, #tags, #load) #wait
    }
}

/// Whether a call goes past the cache: the name of the answer, and how it is settled. Where there is a `question`, it may know.
fn condition_of(model: &Model, condition: &Condition, question: Option<&Ident>) -> (Ident, TokenStream) {
    let expr = condition.expr();
    let place = place_of(expr);
    let private = private(model, place);
    let local = Ident::new("__bypassed", Span::mixed_site().located_at(place));
    let negation = match condition {
        Condition::When(_) => quote!(!),
        Condition::Unless(_) => quote!(),
    };
    let bypassed = quote_spanned!(place=> #negation #private::condition(|| #expr));
    let bypassed = match question {
        Some(question) => quote!(#question.bypasses(|| #bypassed)),
        None => bypassed,
    };
    let settled = quote_spanned!(place=> let #local = #bypassed;);
    (local, settled)
}

/// The meaning of the return type; written at it, since that is what a message would be about.
pub(crate) fn outcome(model: &Model) -> TokenStream {
    let output = &model.output;
    let place = place_of(output);
    let private = private(model, place);
    let returned = quote_spanned!(place=> (&&&#private::Returns::<#output>::new()).outcome());
    match model.reading.cache_err {
        Some(_) => quote_spanned!(place=> #private::outcome(#private::whole(#returned))),
        None => quote_spanned!(place=> #private::outcome(#returned)),
    }
}

pub(crate) fn stack(model: &Model, preparation: &mut TokenStream) -> TokenStream {
    let Some(stack) = &model.stack else {
        return quote!(::core::option::Option::None);
    };
    let place = place_of(stack);
    let private = private(model, place);
    let local = Ident::new("__stack", Span::mixed_site().located_at(place));
    preparation.extend(quote!(let #local = &(#stack);));
    quote_spanned!(place=> ::core::option::Option::Some(#private::AsStack::as_stack(#local)))
}

/// What the entry is looked up by.
pub(crate) fn key_of(model: &Model, preparation: &mut TokenStream) -> TokenStream {
    match &model.key {
        Key::Arguments => key_of_arguments(model),
        Key::Whole(part) => given_part(model, part, "__key", preparation),
        Key::Tuple(parts) => {
            let parts = parts.iter().enumerate();
            let parts: Vec<_> =
                parts.map(|(index, part)| given_part(model, part, &format!("__key_{index}"), preparation)).collect();
            quote!((#(#parts),*))
        }
    }
}

/// A reference to a part of the key that an option gives.
fn given_part(model: &Model, part: &Part, local: &str, preparation: &mut TokenStream) -> TokenStream {
    let place = match part {
        Part::Argument(part) | Part::Made(part) => place_of(part),
        Part::Reference(part) => place_of(part),
    };
    let private = private(model, place);
    let local = Ident::new(local, Span::mixed_site().located_at(place));
    match part {
        Part::Argument(reference) => quote_spanned!(place=> #private::key_part(#reference)),
        Part::Reference(reference) => {
            preparation.extend(quote_spanned!(place=> let #local = #reference;));
            quote_spanned!(place=> #private::key_part(#local))
        }
        Part::Made(key) => {
            preparation.extend(quote_spanned!(place=> let #local = #private::key(|| #key);));
            quote_spanned!(place=> &#local)
        }
    }
}

fn key_of_arguments(model: &Model) -> TokenStream {
    let arguments = model.arguments.iter().filter(|argument| argument.role == Role::Key);
    let parts: Vec<_> = arguments.map(|argument| key_part(model, argument)).collect();
    match parts.as_slice() {
        [] => quote!(&()),
        [part] => part.clone(),
        parts => quote!((#(#parts),*)),
    }
}

/// A reference to the argument, let into the key.
fn key_part(model: &Model, argument: &Argument) -> TokenStream {
    let place = place_of(argument.ty());
    let private = private(model, place);
    let reference = reference(argument);
    quote_spanned!(place=> #private::key_part(#reference))
}

/// A reference to the argument; written at its type, since that is what a message would be about.
fn reference(argument: &Argument) -> TokenStream {
    let place = place_of(argument.ty());
    let name = at(&argument.name, place);
    match argument.passing {
        Passing::Owned(_) => quote_spanned!(place=> &#name),
        Passing::Borrowed(_) => quote_spanned!(place=> &*#name),
    }
}

/// Names for the parts of arguments, where something beside the body speaks of them.
pub(crate) fn views(model: &Model, of: impl Fn(&Argument) -> bool) -> TokenStream {
    let viewed = model.viewed.iter().map(|&index| &model.arguments[index]);
    let viewed = viewed.filter(|argument| of(argument)).map(|argument| {
        let pattern = argument.viewing_pattern();
        let name = &argument.name;
        let value = match argument.passing {
            Passing::Owned(_) => quote!(&#name),
            Passing::Borrowed(_) => quote!(#name),
        };
        quote! {
            #[allow(unused_variables, reason = "only some parts are spoken of")]
            let #pattern = #value;
        }
    });
    quote!(#(#viewed)*)
}

fn tags(model: &Model) -> TokenStream {
    let tags = model.tags.iter().filter_map(|tag| match tag {
        Tag::Template(template) => {
            let text = &template.text;
            let values = &template.names;
            Some(quote!(::std::format!(#text #(, #values = #values)*)))
        }
        Tag::Expr(tag) => {
            let place = place_of(tag);
            let private = private(model, place);
            Some(quote_spanned!(place=> #private::tag(#tag)))
        }
        Tag::OfValue(_) => None,
    });
    quote!(|| ::std::vec![#(#tags),*])
}

/// The tags that are known when there is a value.
fn tags_of_value(model: &Model) -> Option<TokenStream> {
    let value = Ident::new("__value", Span::mixed_site());
    let tags = model.tags.iter().filter_map(|tag| match tag {
        Tag::OfValue(tags) => {
            let place = place_of(tags);
            let private = private(model, place);
            Some(quote_spanned!(place=> #private::tags_of(#value, #tags)))
        }
        Tag::Template(_) | Tag::Expr(_) => None,
    });
    let tags: Vec<_> = tags.collect();
    (!tags.is_empty()).then(|| quote!(.tagged_by(|#value| [#(#tags),*].concat())))
}

/// Makes the future of a load; it runs on a miss only.
fn loader(model: &Model) -> TokenStream {
    let load = model.path(if model.is_async { "__load" } else { "uncached" });
    let arguments = model.arguments.iter().map(|argument| {
        let place = place_of(argument.ty());
        let private = private(model, place);
        let reference = reference(argument);
        match argument.passing {
            Passing::Owned(_) if argument.is_moved() => argument.name.to_token_stream(),
            Passing::Owned(_) if !model.is_async => quote_spanned!(place=> #private::again(#reference)),
            Passing::Borrowed(_) if !model.is_async => argument.name.to_token_stream(),
            Passing::Owned(_) => quote_spanned!(place=> #private::copy(#reference)),
            Passing::Borrowed(_) => quote_spanned!(place=> #private::lend(#reference)),
        }
    });
    quote!(|| #load(#(#arguments),*))
}

/// The module that generated code calls, as if it were written at `place`: there the compiler reports what goes wrong.
pub(crate) fn private(model: &Model, place: Span) -> TokenStream {
    private_of(&model.krate, place)
}

pub(crate) fn private_of(krate: &Path, place: Span) -> TokenStream {
    let krate = krate.to_token_stream().into_iter().map(|mut token| {
        token.set_span(token.span().located_at(place));
        token
    });
    let krate: TokenStream = krate.collect();
    quote_spanned!(place=> #krate::__private)
}

/// Where a message points that is about `tokens`. It remains generated code: the compiler gives no advice on rewriting it.
pub(crate) fn place_of(tokens: &impl Spanned) -> Span {
    Span::call_site().located_at(tokens.span())
}

pub(crate) fn at(name: &Ident, place: Span) -> Ident {
    let mut name = name.clone();
    name.set_span(name.span().located_at(place));
    name
}

/// The arguments, each by one name.
pub(crate) fn parameters(model: &Model) -> Vec<TokenStream> {
    model.arguments.iter().map(parameter).collect()
}

pub(crate) fn parameter(argument: &Argument) -> TokenStream {
    if let Some(receiver) = &argument.receiver {
        return quote!(#receiver);
    }
    let name = &argument.name;
    let ty = &argument.written.ty;
    quote!(#name: #ty)
}
