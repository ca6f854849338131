//! A catalogue of made-up services, and what it costs to describe it.

use std::time::Duration;

use stoa_contract::{Binding, Contract, Method, Segment, Shape};

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
    let segment = |segment: &Segment| match segment {
        Segment::Word(word) => Segment::Word(named(word)),
        other => *other,
    };
    let binding = |binding: &Binding| Binding {
        template: named(binding.template),
        segments: binding.segments.iter().map(segment).collect::<Vec<_>>().leak(),
        ..*binding
    };
    let methods = known.methods.iter().map(|&method| {
        let made = Method {
            http: method.http.iter().map(binding).collect::<Vec<_>>().leak(),
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

/// Tells what something costs that this process does.
#[derive(Debug)]
pub struct Meter {
    work: Duration,
    memory: usize,
}

/// What something cost.
#[derive(Debug)]
pub struct Cost {
    /// How long this process had a processor.
    pub work: Duration,
    /// How much more memory it has, in bytes.
    pub memory: usize,
}

impl Meter {
    /// Measures from now on.
    pub fn start() -> Self {
        Self { memory: resident(), work: worked() }
    }

    /// What it cost so far; what was made meanwhile is still there.
    pub fn read(&self) -> Cost {
        let (memory, work) = (resident().saturating_sub(self.memory), worked() - self.work);
        Cost { work, memory }
    }
}

impl Cost {
    /// What it costs to do something, which stays in memory.
    pub fn of<T>(run: impl FnOnce() -> T) -> (T, Self) {
        let meter = Meter::start();
        let made = run();
        (made, meter.read())
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

/// The time of all threads, in whose own code and in the kernel's, to a hundredth of a second.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after_name) = text.rsplit_once(") ").unwrap();
    let ticks = after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}
