//! Wasmtime's pooling allocator, driven line by line from the outside, so that it can take turns with Guardstripe's pool in
//! one run. Every line read is a command, every command is answered with one line: a number (nanoseconds, counts), `ok`, or
//! `error` and what Wasmtime says. Nanoseconds are the wall clock's, but for `cycle` and `serve`, which count CPU time.
//!
//! ```text
//! settings total_memories=16 max_memory_size=1048576 ...   a fresh engine with these settings; nanoseconds it took
//! module PATH                                             compiles one more module for the engine
//! cycle ITERATIONS TENANT ; TENANT ; ...                  tenants one after the other, over and over; see cycle.rs
//! threads THREADS ITERATIONS TENANT ; ...                 the same on several threads, each ITERATIONS
//! live MAX                                                instances of the first module until MAX or until it fails
//! serve WORK ITERATIONS [FILE]                            a fresh instance serves a request; see serve.rs
//! digest PATH                                             what the module's memories start with; see digest.rs
//! ```
mod clock;
mod cycle;
mod digest;
mod serve;
mod settings;

use std::io::{BufRead, Write};
use std::time::Instant;
use wasmtime::{Engine, Module, Result, Store, bail, error::Context};

/// The engine of the last `settings` and the modules that were compiled for it since.
struct Bench {
    engine: Engine,
    modules: Vec<Module>,
}

fn main() {
    let mut bench = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input is text");
        let answer = match answer(&mut bench, &line) {
            Ok(text) => text,
            Err(error) => format!("error {error:#}").replace('\n', " "),
        };
        println!("{answer}");
        std::io::stdout().flush().expect("standard output is open");
    }
}

fn answer(bench: &mut Option<Bench>, line: &str) -> Result<String> {
    let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
    match command {
        "settings" => {
            // The slab of the engine before must be gone, or two of them would have to fit.
            *bench = None;
            let config = settings::read(rest)?;
            let start = Instant::now();
            let engine = Engine::new(&config)?;
            let nanoseconds = start.elapsed().as_nanos();
            *bench = Some(Bench { engine, modules: Vec::new() });
            Ok(nanoseconds.to_string())
        }
        "digest" => digest::of_file(rest),
        _ => {
            let bench = bench.as_mut().context("no settings yet")?;
            with_engine(bench, command, rest)
        }
    }
}

fn with_engine(bench: &mut Bench, command: &str, rest: &str) -> Result<String> {
    match command {
        "module" => {
            bench.modules.push(Module::from_file(&bench.engine, rest)?);
            Ok("ok".into())
        }
        "cycle" => {
            let (iterations, tenants) = rest.split_once(' ').context("ITERATIONS TENANTS")?;
            let tenants = cycle::Tenants::read(&bench.engine, &bench.modules, tenants)?;
            Ok(tenants.run(iterations.parse()?)?.to_string())
        }
        "threads" => {
            let mut words = rest.splitn(3, ' ');
            let (threads, iterations) = (next(&mut words)?.parse()?, next(&mut words)?.parse()?);
            let tenants = cycle::Tenants::read(&bench.engine, &bench.modules, next(&mut words)?)?;
            Ok(tenants.run_on_threads(threads, iterations)?.to_string())
        }
        "live" => live(bench, rest.parse()?),
        "serve" => {
            let module = bench.modules.last().context("no module yet")?;
            serve::run(&bench.engine, module, rest)
        }
        _ => bail!("unknown command {command}"),
    }
}

fn next<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<&'a str> {
    words.next().context("a word is missing")
}

/// How many instances can be live, and what was said to the one too many.
fn live(bench: &Bench, most: usize) -> Result<String> {
    let module = bench.modules.first().context("no module yet")?;
    let mut stores = Vec::new();
    for _ in 0..most {
        let mut store = Store::new(&bench.engine, ());
        if let Err(error) = wasmtime::Instance::new(&mut store, module, &[]) {
            return Ok(format!("{} {error:#}", stores.len()).replace('\n', " "));
        }
        stores.push(store);
    }
    Ok(stores.len().to_string())
}
