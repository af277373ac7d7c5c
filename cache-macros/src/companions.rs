//! The functions that go with a cached one, each in code.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Ident;

use crate::{
    argument::{Argument, Mention, Passing, Role},
    expand::{self, at, key_of, outcome, parameter, parameters, place_of, private, stack, views},
    key::Key,
    model::Model,
    warm::warm,
};

/// All of them, for the type of the function's name.
pub(crate) fn companions(model: &Model) -> Vec<TokenStream> {
    let mut companions = vec![
        uncached(model),
        refresh(model),
        explain(model),
        get(model),
        insert(model),
        invalidate(model),
        ask(model),
        target(model),
        key(model),
        stats(model),
    ];
    companions.extend(cache(model));
    if model.is_async {
        companions.extend([expire(model), write(model), warm(model)]);
    }
    companions
}

/// The body, as it was written.
fn uncached(model: &Model) -> TokenStream {
    let it = model.companion("uncached");
    let Model { visibility, generics, output, body, .. } = model;
    let asyncness = model.manner("uncached").asyncness;
    let attributes = model.attributes.lints.iter().chain(&model.attributes.body);
    let parameters = model.arguments.iter().map(|argument| {
        if argument.receiver.is_some() {
            return parameter(argument);
        }
        let written = &argument.written;
        let used = (argument.mention != Mention::Nowhere)
            .then(|| quote!(#[allow(unused_variables, reason = "`#[cached]` uses it")]));
        quote!(#used #written)
    });
    let where_clause = &generics.where_clause;
    quote! {
        /// Runs the function itself; the cache is neither read nor written.
        #(#attributes)*
        #visibility #asyncness fn #it #generics(#(#parameters),*) -> #output #where_clause #body
    }
}

/// How a companion is written: its parameters, and what it hands on to one of the hidden functions.
struct Handed<'m> {
    model: &'m Model,
    parameters: Vec<TokenStream>,
    names: Vec<&'m Ident>,
}

impl<'m> Handed<'m> {
    fn new(model: &'m Model) -> Self {
        let names = model.arguments.iter().map(|argument| &argument.name).collect();
        Self { model, parameters: parameters(model), names }
    }

    /// One that asks `__ask`, and takes `take` of what it is told.
    fn question(&self, name: &str, question: &TokenStream, take: &str, gives: &TokenStream) -> TokenStream {
        let names = &self.names;
        let (ask, take) = (self.model.path("__ask"), format_ident!("{take}"));
        let here = private(self.model, Span::call_site());
        let told = quote!(#ask(#(#names,)* #here::Ask::#question));
        let answer = match self.model.is_async {
            true => quote!(#here::later(#told, #here::Told::#take)),
            false => quote!(#told.#take()),
        };
        self.companion(name, &quote!(), gives, &answer)
    }

    /// One that revokes the entry, by a verb of `Target`.
    fn revocation(&self, name: &str) -> TokenStream {
        let names = &self.names;
        let (krate, target) = (&self.model.krate, self.model.path("__target"));
        let verb = self.model.manner(name).verb;
        self.companion(name, &quote!(), &quote!(#krate::Result<()>), &quote!(#target(#(#names),*).#verb()))
    }

    fn companion(&self, name: &str, more: &TokenStream, gives: &TokenStream, answer: &TokenStream) -> TokenStream {
        let Model { visibility, generics, is_async, .. } = self.model;
        let it = self.model.companion(name);
        let where_clause = &generics.where_clause;
        let parameters = &self.parameters;
        let gives = if *is_async { quote!(impl ::core::future::Future<Output = #gives>) } else { gives.clone() };
        quote!(#visibility fn #it #generics(#(#parameters,)* #more) -> #gives #where_clause { #answer })
    }
}

/// Whatever is asked of an entry.
fn ask(model: &Model) -> TokenStream {
    let it = model.companion("__ask");
    let Model { output, value, generics, .. } = model;
    let asyncness = model.manner("ask").asyncness;
    let where_clause = &generics.where_clause;
    let parameters = parameters(model);
    let here = private(model, Span::call_site());
    let question = Ident::new("ask", Span::mixed_site());
    let ask = expand::ask(model, &question);
    quote! {
        #[doc(hidden)]
        #[allow(clippy::too_many_arguments, reason = "one more than the function has")]
        #asyncness fn #it #generics(
            #(#parameters,)* #question: #here::Ask<#value>
        ) -> #here::Told<#output, #value> #where_clause {
            #ask
        }
    }
}

fn refresh(model: &Model) -> TokenStream {
    let refresh = Handed::new(model).question("refresh", &quote!(Refresh), "returned", &model.output.to_token_stream());
    quote! {
        /// Runs the function whatever is cached, and caches what it returns, for everyone.
        ///
        /// Others are served the old entry until then; if the function fails, it stays.
        #refresh
    }
}

fn explain(model: &Model) -> TokenStream {
    let (krate, output) = (&model.krate, &model.output);
    let explain =
        Handed::new(model).question("explain", &quote!(Explain), "explained", &quote!(#krate::Answer<#output>));
    quote! {
        /// Calls the function, and says how the call was answered: from where, and how old the value is.
        #explain
    }
}

fn get(model: &Model) -> TokenStream {
    let value = &model.value;
    let get = Handed::new(model).question("get", &quote!(Get), "found", &quote!(::core::option::Option<#value>));
    quote! {
        /// What is cached for these arguments, in L1 or in L2. Runs nothing, and waits for no load.
        #get
    }
}

fn insert(model: &Model) -> TokenStream {
    let (krate, value) = (&model.krate, &model.value);
    let inserted = Ident::new("value", Span::mixed_site());
    let mut handed = Handed::new(model);
    handed.parameters.push(quote!(#inserted: #value));
    let insert = handed.question("insert", &quote!(Insert(#inserted)), "inserted", &quote!(#krate::Result<()>));
    quote! {
        /// Caches a value for these arguments, in every tier, in the place of whatever is there or being loaded.
        ///
        /// # Errors
        /// The shared store could not be written, or the value can't be stored; L1 then holds nothing for the arguments.
        #[allow(clippy::too_many_arguments, reason = "one more than the function has")]
        #insert
    }
}

fn invalidate(model: &Model) -> TokenStream {
    let invalidate = Handed::new(model).revocation("invalidate");
    quote! {
        /// Revokes the entry of these arguments, in every tier and with every load of it in flight.
        ///
        /// # Errors
        /// The shared store could not be told; the entry is dropped here all the same, and the invalidation is retried.
        #invalidate
    }
}

fn expire(model: &Model) -> TokenStream {
    let expire = Handed::new(model).revocation("expire");
    quote! {
        /// Marks the entry of these arguments as stale, everywhere: it is served inside a stale window, and to nobody else.
        ///
        /// # Errors
        /// The shared store could not be told; the entry is stale here all the same, and an invalidation is queued.
        #expire
    }
}

fn write(model: &Model) -> TokenStream {
    let it = model.companion("write");
    let target = model.path("__target");
    let Model { krate, visibility, generics, .. } = model;
    let Handed { parameters, names, .. } = Handed::new(model);
    let where_clause = &generics.where_clause;
    let inherited = generics.params.iter();
    let (commit, written) = (Ident::new("commit", Span::mixed_site()), Ident::new("Written", Span::mixed_site()));
    let future = quote!(::core::future::Future<Output = #written> + ::core::marker::Send + 'static);
    quote! {
        /// Runs `commit`, which changes what the function reads, under a guard: nothing is cached for these arguments
        /// while it runs, and nothing stale is left, not even if this process dies half-way.
        ///
        /// # Errors
        /// No guard could be opened, and `commit` was not run.
        #[allow(clippy::too_many_arguments, reason = "one more than the function has")]
        #visibility fn #it<#(#inherited,)* #written: ::core::marker::Send + 'static>(
            #(#parameters,)* #commit: impl #future
        ) -> impl ::core::future::Future<Output = #krate::Result<#written>> #where_clause {
            #target(#(#names),*).write(#commit)
        }
    }
}

/// The entry, for those who revoke it and for `#[invalidates]`.
fn target(model: &Model) -> TokenStream {
    let (it, ask) = (model.companion("__target"), model.path("__ask"));
    let Model { visibility, generics, is_async, .. } = model;
    let Handed { parameters, names, .. } = Handed::new(model);
    let where_clause = &generics.where_clause;
    let here = private(model, Span::call_site());
    let asked = quote!(#ask(#(#names,)* #here::Ask::Target));
    let told = if *is_async { quote!(#here::at_once(#asked)) } else { asked };
    quote! {
        #[doc(hidden)]
        #visibility fn #it #generics(#(#parameters),*) -> #here::Target #where_clause {
            #told.target()
        }
    }
}

fn key(model: &Model) -> TokenStream {
    let it = model.companion("key");
    let Model { krate, visibility, generics, .. } = model;
    let parameters = parameters(model);
    let where_clause = &generics.where_clause;
    let ty = match &model.key {
        Key::Arguments => key_type(model),
        Key::Whole(_) | Key::Tuple(_) => quote!(impl #krate::CacheKey),
    };
    let mut preparation = views(model, |_| true);
    let key = key_of(model, &mut preparation);
    quote! {
        /// The key of these arguments.
        #[allow(unused_variables, reason = "arguments that are no part of the key")]
        #visibility fn #it #generics(#(#parameters),*) -> #ty #where_clause {
            #preparation
            #krate::__private::own(#key)
        }
    }
}

fn stats(model: &Model) -> TokenStream {
    let it = model.companion("stats");
    let site = model.path("__site");
    let Model { krate, visibility, generics, .. } = model;
    let where_clause = &generics.where_clause;
    let Located { parameters, preparation, stack } = Located::new(model);
    quote! {
        /// What happened to the function's cache so far in this process.
        #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
        #visibility fn #it #generics(#(#parameters),*) -> #krate::Stats #where_clause {
            #preparation
            #krate::__private::stats(#site(), #stack)
        }
    }
}

/// The handle. The type of a key that is an expression has no name, so there is none for that.
fn cache(model: &Model) -> Option<TokenStream> {
    let Key::Arguments = model.key else { return None };
    let it = model.companion("cache");
    let site = model.path("__site");
    let Model { krate, visibility, value, generics, .. } = model;
    let where_clause = &generics.where_clause;
    let Located { parameters, preparation, stack } = Located::new(model);
    let outcome = outcome(model);
    let key = key_type(model);
    let parts = model.arguments.iter().filter(|argument| argument.role == Role::Key);
    let (names, types): (Vec<_>, Vec<_>) = parts.clone().map(|part| (&part.name, part.ty())).unzip();
    let lookups: Vec<_> = parts.map(|part| lookup(model, part)).collect();
    let lookup = match lookups.as_slice() {
        [] => quote!(&()),
        [one] => one.clone(),
        lookups => quote!((#(#lookups),*)),
    };
    Some(quote! {
        /// The function's cache, as a handle: for what the other companions don't do.
        ///
        /// # Errors
        /// The cache can't be made, as for a call. Or the return type is a `Result` by another name, which hides the type
        /// of the value.
        #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
        #visibility fn #it #generics(
            #(#parameters),*
        ) -> #krate::Result<#krate::Cache<#key, #value>> #where_clause {
            #[allow(unused_imports, reason = "the return type decides which of them is used")]
            use #krate::__private::{ByConverting as _, ByPanicking as _, ByValue as _};
            #preparation
            #krate::__private::handle::<_, #value, _, _>(#site(), #stack, #outcome, |(#(#names,)*): (#(&'static #types,)*)| #lookup)
        }
    })
}

/// What a key part is looked up by, where the argument is a reference.
fn lookup(model: &Model, part: &Argument) -> TokenStream {
    let place = place_of(part.ty());
    let private = private(model, place);
    let name = at(&part.name, place);
    quote_spanned!(place=> #private::key_part(&*#name))
}

/// The type of the key that is made of the arguments.
fn key_type(model: &Model) -> TokenStream {
    let parts = model.arguments.iter().filter(|argument| argument.role == Role::Key);
    let parts: Vec<_> = parts
        .map(|part| match &part.passing {
            Passing::Owned(ty) => quote!(#ty),
            Passing::Borrowed(ty) => quote_spanned!(place_of(ty)=> <#ty as ::std::borrow::ToOwned>::Owned),
        })
        .collect();
    match parts.as_slice() {
        [part] => part.clone(),
        parts => quote!((#(#parts),*)),
    }
}

/// A companion that needs no arguments but those that give the stack.
struct Located {
    parameters: Vec<TokenStream>,
    preparation: TokenStream,
    stack: TokenStream,
}

impl Located {
    fn new(model: &Model) -> Self {
        let needed = model.arguments.iter().filter(|argument| argument.gives_stack);
        let mut preparation = views(model, |argument| argument.gives_stack);
        let stack = stack(model, &mut preparation);
        Self { parameters: needed.map(parameter).collect(), preparation, stack }
    }
}
