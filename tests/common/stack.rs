//! The local stack of `dev/`, whole or its store alone; it ends by itself when the test process does.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

pub struct Stack {
    variables: HashMap<String, String>,
    /// Its standard input stays open for as long as this process lives: that is what keeps it up.
    _child: Child,
}

impl Stack {
    pub fn variable(&self, name: &str) -> String {
        self.variables[name].clone()
    }
}

impl Stack {
    /// Starts one of its own, with these arguments for `dev/stack.mjs`; it prints so many variables.
    pub fn start(arguments: &[&str], count: usize) -> Self {
        let mut child = Command::new("node")
            .args(["dev/stack.mjs", "--until-stdin-closes"])
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is on PATH");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let variables: HashMap<_, _> = lines
            .take(count)
            .map(|line| {
                let line = line.unwrap();
                let (name, value) = line.split_once('=').expect("NAME=value");
                (name.to_owned(), value.to_owned())
            })
            .collect();
        assert_eq!(
            variables.len(),
            count,
            "the stack did not start; is `npm install` done?"
        );
        Stack {
            variables,
            _child: child,
        }
    }

    /// Redis and its bridge alone.
    pub fn store(arguments: &[&str]) -> Self {
        Self::start(&[&["--store"], arguments].concat(), 2)
    }
}

/// All of it, one for all tests of a file.
pub fn stack() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| Stack::start(&[], 4))
}
