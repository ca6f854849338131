//! A catalogue of made-up services, and what it costs to describe it.

use std::time::Duration;

use stoa_contract::{Contract, Method, Shape};

/// A contract so many times, each time under another name of the same length, so that its descriptors
/// stay what they are: `lending` becomes `lendi00`, `lendi01` and so on.
pub fn made_up(known: &'static Contract, count: usize) -> Vec<&'static Contract> {
    assert!(count <= 100, "a number has two digits");
    (0..count).map(|nth| renamed(known, nth)).collect()
}

fn renamed(known: &'static Contract, nth: usize) -> &'static Contract {
    let small = known.name;
    let large = format!("{}{}", small[..1].to_uppercase(), &small[1..]);
    let numbered = |name: &str| format!("{}{nth:02}", &name[..name.len() - 2]);
    let names = [(small, numbered(small)), (&large, numbered(&large))];
    let named = |text: &str| -> &'static str {
        let renamed = |text: String, (old, new): &(&str, String)| text.replace(old, new);
        names.iter().fold(text.to_owned(), renamed).leak()
    };
    let shape = |shape: &Shape| -> &'static Shape {
        Box::leak(Box::new(Shape { name: named(shape.name), fields: shape.fields }))
    };
    let methods = known.methods.iter().map(|&method| {
        let made = Method {
            path: named(method.path),
            service: named(method.service),
            batch_gets: method.batch_gets.map(named),
            request: shape(method.request),
            reply: shape(method.reply),
            ..*method
        };
        &*Box::leak(Box::new(made))
    });
    let mut descriptors = known.descriptors.to_vec();
    for (old, new) in &names {
        for at in 0..=descriptors.len() - old.len() {
            if descriptors[at..].starts_with(old.as_bytes()) {
                descriptors[at..at + new.len()].copy_from_slice(new.as_bytes());
            }
        }
    }
    Box::leak(Box::new(Contract {
        name: named(known.name),
        full_name: named(known.full_name),
        methods: methods.collect::<Vec<_>>().leak(),
        events: &[],
        descriptors: descriptors.leak(),
        ..*known
    }))
}

/// What something cost.
#[derive(Debug)]
pub struct Cost {
    /// How long this thread had a processor.
    pub work: Duration,
    /// How much more memory this process has, in bytes.
    pub memory: usize,
}

impl Cost {
    /// What it costs to do something, which stays in memory.
    pub fn of<T>(run: impl FnOnce() -> T) -> (T, Self) {
        let (memory, work) = (resident(), worked());
        let made = run();
        let (memory, work) = (resident().saturating_sub(memory), worked() - work);
        (made, Self { work, memory })
    }

    /// Fails where it is more than a description of ninety services may cost.
    pub fn is_bearable(&self) {
        println!("{:?} of work, {} MiB", self.work, self.memory >> 20);
        assert!(self.work < Duration::from_secs(1), "{:?}", self.work);
        assert!(self.memory < 40 << 20, "{} MiB", self.memory >> 20);
    }
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}
