//! A [`Model`] as code. Nothing is decided here, and what can be ordinary Rust is: it lives in `cache_core::__private`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, spanned::Spanned};

use crate::{
    args::Tag,
    argument::{Argument, Passing, Role},
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
    let call = call(model, "call");
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
    let summary = format!("What goes with the cached function [`{name}`](fn@{name}); each takes its arguments.");
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
    let parameters = model.arguments.iter().map(|argument| &argument.written);
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
    let subject = Subject::new(model);
    let Subject { preparation, stack, outcome, key } = &subject;
    let site = site_of(model);
    quote! {
        /// Revokes the entry of these arguments, in every tier and with every load of it in flight.
        ///
        /// # Errors
        /// The shared store could not be told; the entry is dropped here all the same, and the invalidation is retried.
        #[allow(unused_variables, reason = "arguments that are no part of the key")]
        #visibility async fn invalidate #generics(#(#parameters),*) -> #krate::Result<()> #where_clause {
            #preparation
            #krate::__private::invalidate(#site, #stack, #outcome, #key).await
        }
    }
}

/// Binds the body to arguments that it owns, so that it can outlive the call.
fn load(model: &Model) -> TokenStream {
    let Model { krate, name, output, .. } = model;
    let parameters = model.arguments.iter().map(|Argument { name, passing, .. }| match passing {
        Passing::Owned(ty) => quote!(#name: #ty),
        Passing::Borrowed(ty) => quote!(#name: <#ty as #krate::__private::Argument>::Kept),
    });
    let arguments = model.arguments.iter().map(|Argument { name, passing, .. }| match passing {
        Passing::Owned(_) => quote!(#name),
        Passing::Borrowed(ty) => quote!(<#ty as #krate::__private::Argument>::lend(&#name)),
    });
    // At the name, so that what keeps the future from being `Send` is reported with the function.
    let boxed = quote_spanned!(name.span()=> #krate::__private::boxed);
    quote! {
        #[doc(hidden)]
        fn __load(#(#parameters),*) -> #krate::__private::Loading<#output> {
            #boxed(async move { Self::uncached(#(#arguments),*).await })
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

/// One call of `__private::#verb`.
fn call(model: &Model, verb: &str) -> TokenStream {
    let krate = &model.krate;
    let verb = format_ident!("{verb}");
    let Subject { preparation, stack, outcome, key } = Subject::new(model);
    let site = site_of(model);
    let tags = tags(model);
    let load = loader(model);
    quote! {
        #preparation
        #krate::__private::#verb(#site, #stack, #outcome, #key, #tags, #load).await
    }
}

/// Which entry of which cache a call is about, in code.
struct Subject {
    preparation: TokenStream,
    stack: TokenStream,
    outcome: TokenStream,
    key: TokenStream,
}

impl Subject {
    fn new(model: &Model) -> Self {
        let Model { krate, output, .. } = model;
        let mut preparation = views(model);
        let stack = match &model.stack {
            None => quote!(::core::option::Option::None),
            Some(stack) => {
                let local = Ident::new("__stack", Span::mixed_site());
                preparation.extend(quote!(let #local = #stack;));
                let given = quote_spanned!(stack.span()=> #krate::__private::AsStack::as_stack(&#local));
                quote!(::core::option::Option::Some(#given))
            }
        };
        let key = match &model.key {
            Key::Arguments => key_of_arguments(model),
            Key::Expr(key) => {
                let local = Ident::new("__key", Span::mixed_site());
                let make = quote_spanned!(key.span()=> #krate::__private::key(|| #key));
                preparation.extend(quote!(let #local = #make;));
                quote!(&#local)
            }
        };
        let outcome = quote_spanned!(output.span()=> (&&&#krate::__private::Returns::<#output>::new()).outcome());
        preparation.extend(quote! {
            #[allow(unused_imports, reason = "the return type decides which of them is used")]
            use #krate::__private::{ByConverting as _, ByPanicking as _, ByValue as _};
        });
        Self { preparation, stack, outcome, key }
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

fn key_of_arguments(model: &Model) -> TokenStream {
    let krate = &model.krate;
    let parts: Vec<_> = model
        .arguments
        .iter()
        .filter(|argument| argument.role == Role::Key)
        .map(|Argument { name, passing, .. }| {
            let (ty, part) = match passing {
                Passing::Owned(ty) => (ty, quote!(&#name)),
                Passing::Borrowed(ty) => (ty, quote!(#name)),
            };
            quote_spanned!(ty.span()=> #krate::__private::key_part::<#ty>(#part))
        })
        .collect();
    match parts.as_slice() {
        [] => quote!(&()),
        [part] => part.clone(),
        parts => quote!((#(#parts),*)),
    }
}

fn tags(model: &Model) -> TokenStream {
    let tags = model.tags.iter().map(|tag| match tag {
        Tag::Template(template) => {
            let text = &template.text;
            let values = &template.names;
            quote!(::std::format!(#text #(, #values = #values)*))
        }
        Tag::Expr(tag) => {
            quote_spanned!(tag.span()=> ::core::convert::Into::<::std::string::String>::into(#tag))
        }
    });
    quote!(|| ::std::vec![#(#tags),*])
}

/// Makes the future of a load; it runs on a miss only.
fn loader(model: &Model) -> TokenStream {
    let Model { krate, name, .. } = model;
    let arguments = model.arguments.iter().map(|argument| {
        let Argument { name, passing, .. } = argument;
        match passing {
            Passing::Owned(_) if argument.is_moved() => quote!(#name),
            Passing::Owned(ty) => quote!(<#ty as #krate::__private::Argument>::keep(&#name)),
            Passing::Borrowed(ty) => quote!(<#ty as #krate::__private::Argument>::keep(#name)),
        }
    });
    quote!(|| #name::__load(#(#arguments),*))
}

fn site_of(model: &Model) -> TokenStream {
    let name = &model.name;
    quote!(#name::__site())
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
