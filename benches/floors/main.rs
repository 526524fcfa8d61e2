//! One operation of a floor, as often as asked: `benches/instructions` runs it under callgrind with
//! two counts of rounds, and what lies between the two is what the operation takes. It measures
//! nothing itself, and starts no process, thread or socket.

#![expect(clippy::print_stdout, reason = "the answer to whoever runs it")]
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what breaks here is a bench")]

mod broker;
mod client;
mod connection;
mod protocol;
mod queue;
mod routing;
mod store;
mod wire;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Does a round of an operation and tells how often that was.
type Round = Box<dyn FnMut() -> u64>;

/// An operation by its name, and how it is made ready.
struct Operation {
    name: String,
    prepare: Box<dyn Fn() -> Round>,
}

impl Operation {
    fn new(name: impl Into<String>, prepare: impl Fn() -> Round + 'static) -> Self {
        Self { name: name.into(), prepare: Box::new(prepare) }
    }
}

/// All operations, from the ground up.
fn operations() -> Vec<Operation> {
    let floors = [
        protocol::operations(),
        connection::operations(),
        routing::operations(),
        queue::operations(),
        store::operations(),
        broker::operations(),
    ];
    floors.into_iter().flatten().collect()
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let known = operations();
    let [name, rounds] = &words[..] else {
        known.iter().for_each(|operation| println!("{}", operation.name));
        return ExitCode::SUCCESS;
    };
    let operation = known.iter().find(|operation| operation.name == *name);
    let (Some(operation), Ok(rounds)) = (operation, rounds.parse::<u32>()) else {
        println!("usage: floors [OPERATION ROUNDS]; without, it lists the operations");
        return ExitCode::FAILURE;
    };
    let mut round = (operation.prepare)();
    let done: u64 = (0..rounds).map(|_| round()).sum();
    println!("{done}");
    ExitCode::SUCCESS
}
