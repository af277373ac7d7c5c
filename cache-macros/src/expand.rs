//! A [`Model`] as code. Nothing is decided here, and what can be ordinary Rust is: it lives in `cache_core::__private`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Ident, ext::IdentExt, spanned::Spanned};

use crate::{
    args::Tag,
    argument::{Argument, Mention, Passing, Role},
    duration::Ttl,
    model::{Key, Model},
};

pub(crate) fn expand(model: &Model) -> TokenStream {
    let function = function(model);
    let companions = companions(model);
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
    let call = hit_or_call(model);
    quote! {
        #(#conditions)*
        #(#outside)*
        #(#lints)*
        #visibility async fn #name #generics(#(#parameters),*) -> #output #where_clause {
            #call
        }
    }
}

/// The type of the function's name, which lives beside the function because types and values have names apart.
fn companions(model: &Model) -> TokenStream {
    let Model { visibility, name, .. } = model;
    let conditions = &model.attributes.conditions;
    let lints = model.attributes.tolerances();
    let plain = name.unraw();
    let summary = format!("What goes with the cached function [`{plain}`](fn@{plain}); each takes its arguments.");
    let methods = [uncached(model), refresh(model), invalidate(model), explain(model), load(model), site(model)];
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
            #(#methods)*
        }
    }
}

/// The body, as it was written.
fn uncached(model: &Model) -> TokenStream {
    let Model { visibility, generics, output, body, .. } = model;
    let attributes = model.attributes.lints.iter().chain(&model.attributes.body);
    let parameters = model.arguments.iter().map(|argument| {
        let written = &argument.written;
        let used = (argument.mention != Mention::Nowhere)
            .then(|| quote!(#[allow(unused_variables, reason = "`#[cached]` uses it")]));
        quote!(#used #written)
    });
    let where_clause = &generics.where_clause;
    quote! {
        /// Runs the function itself; the cache is neither read nor written.
        #(#attributes)*
        #visibility async fn uncached #generics(#(#parameters),*) -> #output #where_clause #body
    }
}

fn refresh(model: &Model) -> TokenStream {
    let Model { visibility, generics, output, .. } = model;
    let parameters = parameters(model);
    let where_clause = &generics.where_clause;
    let call = call(model, "refresh");
    quote! {
        /// Runs the function whatever is cached, and caches what it returns, for everyone.
        ///
        /// Others are served the old entry until then; if the function fails, it stays.
        #visibility async fn refresh #generics(#(#parameters),*) -> #output #where_clause {
            #call
        }
    }
}

fn explain(model: &Model) -> TokenStream {
    let Model { krate, visibility, generics, output, .. } = model;
    let parameters = parameters(model);
    let where_clause = &generics.where_clause;
    let call = call(model, "explain");
    quote! {
        /// Calls the function, and says how the call was answered: from where, and how old the value is.
        #visibility async fn explain #generics(#(#parameters),*) -> #krate::Answer<#output> #where_clause {
            #call
        }
    }
}

fn invalidate(model: &Model) -> TokenStream {
    let Model { krate, visibility, generics, .. } = model;
    let parameters = parameters(model);
    let where_clause = &generics.where_clause;
    let Entry { preparation, subject } = Entry::new(model);
    let entry = subject.entry(model);
    quote! {
        /// Revokes the entry of these arguments, in every tier and with every load of it in flight.
        ///
        /// # Errors
        /// The shared store could not be told; the entry is dropped here all the same, and the invalidation is retried.
        #[allow(unused_variables, reason = "arguments that are no part of the key")]
        #visibility async fn invalidate #generics(#(#parameters),*) -> #krate::Result<()> #where_clause {
            #preparation
            #entry.invalidate().await
        }
    }
}

/// Binds the body to arguments that it owns, so that it can outlive the call.
fn load(model: &Model) -> TokenStream {
    let Model { name, output, .. } = model;
    let here = private(model, Span::call_site());
    let parameters = model.arguments.iter().map(|Argument { name, passing, .. }| match passing {
        Passing::Owned(ty) => quote!(#name: #ty),
        Passing::Borrowed(ty) => quote!(#name: #here::Lent<#ty>),
    });
    let arguments = model.arguments.iter().map(|Argument { name, passing, .. }| match passing {
        Passing::Owned(_) => quote!(#name),
        Passing::Borrowed(_) => quote!(#here::lent(&#name)),
    });
    // What keeps the future from being `Send` is reported at the name.
    let place = place_of(name);
    let at_name = private(model, place);
    let boxed = quote_spanned!(place=> #at_name::boxed(async move { #name::uncached(#(#arguments),*).await }));
    quote! {
        #[doc(hidden)]
        fn __load(#(#parameters),*) -> #here::Loading<#output> {
            #boxed
        }
    }
}

fn site(model: &Model) -> TokenStream {
    let Model { krate, name, site, .. } = model;
    let cache = match &site.cache {
        Some(cache) => quote!(.cache(#cache)),
        None => quote!(),
    };
    let policy = site.policy.iter();
    let version = site.version.iter();
    let ttl = site.ttl.iter().map(|ttl| match ttl {
        Ttl::Fixed(ttl) => {
            let (seconds, nanos) = (ttl.as_secs(), ttl.subsec_nanos());
            quote!(::core::time::Duration::new(#seconds, #nanos))
        }
        Ttl::Expr(ttl) => quote!(#ttl),
    });
    quote! {
        #[doc(hidden)]
        fn __site() -> &'static #krate::__private::Site {
            static SITE: #krate::__private::Site = #krate::__private::Site::new(
                #krate::__private::Spec::new(::core::any::type_name::<#name>)
                    #cache
                    #(.policy(#policy))*
                    #(.version(#version))*
                    #(.ttl(|| -> ::core::time::Duration { #ttl }))*
            );
            &SITE
        }
    }
}

/// L1 is asked before anything else is made.
fn hit_or_call(model: &Model) -> TokenStream {
    let Model { krate, .. } = model;
    let Entry { preparation, subject } = Entry::new(model);
    let tags = tags(model);
    let load = loader(model);
    let Subject { site, stack, outcome, key } = &subject;
    let [stack_, outcome_, key_] = ["__of", "__outcome", "__by"].map(|name| Ident::new(name, Span::mixed_site()));
    quote! {
        #preparation
        let (#stack_, #outcome_, #key_) = (#stack, #outcome, #key);
        match #krate::__private::hit(#site, #stack_, &#outcome_, #key_) {
            ::core::option::Option::Some(hit) => hit,
            ::core::option::Option::None => {
                #krate::__private::entry(#site, #stack_, #outcome_, #key_).call(#tags, #load).await
            }
        }
    }
}

/// The entry is asked for its value, by one of the verbs of `__private::Entry`.
fn call(model: &Model, verb: &str) -> TokenStream {
    let verb = format_ident!("{verb}");
    let Entry { preparation, subject } = Entry::new(model);
    let entry = subject.entry(model);
    let tags = tags(model);
    let load = loader(model);
    quote! {
        #preparation
        #entry.#verb(#tags, #load).await
    }
}

/// Which entry of which cache a call is about, in code.
struct Entry {
    preparation: TokenStream,
    subject: Subject,
}

/// By what an entry is found.
struct Subject {
    site: TokenStream,
    stack: TokenStream,
    outcome: TokenStream,
    key: TokenStream,
}

impl Subject {
    fn entry(&self, model: &Model) -> TokenStream {
        let krate = &model.krate;
        let Self { site, stack, outcome, key } = self;
        quote!(#krate::__private::entry(#site, #stack, #outcome, #key))
    }
}

impl Entry {
    fn new(model: &Model) -> Self {
        let Model { krate, name, .. } = model;
        let mut preparation = views(model);
        preparation.extend(quote! {
            #[allow(unused_imports, reason = "the return type decides which of them is used")]
            use #krate::__private::{ByConverting as _, ByPanicking as _, ByValue as _, Entry as _};
        });
        let stack = stack(model, &mut preparation);
        let key = key(model, &mut preparation);
        let outcome = outcome(model);
        Self { preparation, subject: Subject { site: quote!(#name::__site()), stack, outcome, key } }
    }
}

/// The meaning of the return type; written at it, since that is what a message would be about.
fn outcome(model: &Model) -> TokenStream {
    let output = &model.output;
    let place = place_of(output);
    let private = private(model, place);
    quote_spanned!(place=> #private::outcome((&&&#private::Returns::<#output>::new()).outcome()))
}

fn stack(model: &Model, preparation: &mut TokenStream) -> TokenStream {
    let Some(stack) = &model.stack else {
        return quote!(::core::option::Option::None);
    };
    let place = place_of(stack);
    let private = private(model, place);
    let local = Ident::new("__stack", Span::mixed_site().located_at(place));
    preparation.extend(quote!(let #local = &(#stack);));
    quote_spanned!(place=> ::core::option::Option::Some(#private::AsStack::as_stack(#local)))
}

fn key(model: &Model, preparation: &mut TokenStream) -> TokenStream {
    let Key::Expr(key) = &model.key else {
        return key_of_arguments(model);
    };
    let place = place_of(key);
    let private = private(model, place);
    let local = Ident::new("__key", Span::mixed_site().located_at(place));
    preparation.extend(quote_spanned!(place=> let #local = #private::key(|| #key);));
    quote_spanned!(place=> &#local)
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
fn views(model: &Model) -> TokenStream {
    let viewed = model.viewed.iter().map(|&index| {
        let argument = &model.arguments[index];
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
    let tags = model.tags.iter().map(|tag| match tag {
        Tag::Template(template) => {
            let text = &template.text;
            let values = &template.names;
            quote!(::std::format!(#text #(, #values = #values)*))
        }
        Tag::Expr(tag) => {
            let place = place_of(tag);
            let private = private(model, place);
            quote_spanned!(place=> #private::tag(#tag))
        }
    });
    quote!(|| ::std::vec![#(#tags),*])
}

/// Makes the future of a load; it runs on a miss only.
fn loader(model: &Model) -> TokenStream {
    let name = &model.name;
    let arguments = model.arguments.iter().map(|argument| {
        let place = place_of(argument.ty());
        let private = private(model, place);
        let reference = reference(argument);
        match argument.passing {
            Passing::Owned(_) if argument.is_moved() => argument.name.to_token_stream(),
            Passing::Owned(_) => quote_spanned!(place=> #private::copy(#reference)),
            Passing::Borrowed(_) => quote_spanned!(place=> #private::lend(#reference)),
        }
    });
    quote!(|| #name::__load(#(#arguments),*))
}

/// The module that generated code calls, as if it were written at `place`: there the compiler reports what goes wrong.
fn private(model: &Model, place: Span) -> TokenStream {
    let krate = model.krate.to_token_stream().into_iter().map(|mut token| {
        token.set_span(token.span().located_at(place));
        token
    });
    let krate: TokenStream = krate.collect();
    quote_spanned!(place=> #krate::__private)
}

/// Where a message points that is about `tokens`. It remains generated code: the compiler gives no advice on rewriting it.
fn place_of(tokens: &impl Spanned) -> Span {
    Span::call_site().located_at(tokens.span())
}

fn at(name: &Ident, place: Span) -> Ident {
    let mut name = name.clone();
    name.set_span(name.span().located_at(place));
    name
}

/// The arguments, each by one name.
fn parameters(model: &Model) -> Vec<TokenStream> {
    let parameters = model.arguments.iter().map(|argument| {
        let name = &argument.name;
        let ty = &argument.written.ty;
        quote!(#name: #ty)
    });
    parameters.collect()
}
