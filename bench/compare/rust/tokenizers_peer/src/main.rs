//! Hugging Face's tokenizers on one thread, a line at a time, with ids, offsets and special tokens. Answers as bench/respond.cpp does:
//!
//!     tokenizers_peer FOLDER             then `run tokenizer/KIND/TEXT/warm|cold N`, `run tokenizer/KIND/load N`, `result WORK FILE`
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::time::Instant;
use tokenizers::Tokenizer;

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Peer {
    folder: String,
    warm: HashMap<String, Tokenizer>,
    texts: HashMap<String, Vec<String>>,
}

impl Peer {
    fn load(&self, kind: &str) -> Result<Tokenizer, Failure> {
        let mut made = Tokenizer::from_file(format!("{}/tokenizers/{kind}.json", self.folder))?;
        made.with_padding(None);
        made.with_truncation(None)?;
        Ok(made)
    }

    fn text(&mut self, name: &str) -> Result<&Vec<String>, Failure> {
        if !self.texts.contains_key(name) {
            let whole = std::fs::read_to_string(format!("{}/texts/{name}.txt", self.folder))?;
            self.texts.insert(name.to_string(), whole.lines().map(str::to_string).collect());
        }
        Ok(&self.texts[name])
    }

    fn pass(&mut self, tokenizer: &Tokenizer, text: &str) -> Result<f64, Failure> {
        let lines = self.text(text)?;
        let began = Instant::now();
        let mut tokens = 0;
        for line in lines {
            tokens += std::hint::black_box(tokenizer.encode(line.as_str(), true)?).get_ids().len();
        }
        std::hint::black_box(tokens);
        Ok(began.elapsed().as_secs_f64())
    }

    fn once(&mut self, parts: &[&str]) -> Result<f64, Failure> {
        if parts[2] == "load" {
            let began = Instant::now();
            std::hint::black_box(self.load(parts[1])?);
            return Ok(began.elapsed().as_secs_f64());
        }
        let cold = parts[3] == "cold";
        let tokenizer = match self.warm.remove(parts[1]) {
            Some(kept) if !cold => kept,
            _ => self.load(parts[1])?,
        };
        let taken = self.pass(&tokenizer, parts[2])?;
        self.warm.insert(parts[1].to_string(), tokenizer);
        Ok(taken)
    }

    fn run(&mut self, work: &str, count: &str) -> Result<String, Failure> {
        let parts: Vec<&str> = work.split('/').collect();
        if parts.last() == Some(&"warm") && !self.warm.contains_key(parts[1]) {
            self.once(&parts)?;
        }
        let mut taken = Vec::new();
        for _ in 0..count.parse::<usize>()? {
            taken.push(format!("{:.1}", self.once(&parts)? * 1e9));
        }
        Ok(format!("[{}]", taken.join(", ")))
    }

    fn result(&mut self, work: &str, file: &str) -> Result<String, Failure> {
        let parts: Vec<&str> = work.split('/').collect();
        let mut bytes = Vec::new();
        if parts[2] != "load" {
            let tokenizer = self.load(parts[1])?;
            for line in self.text(parts[2])?.iter().take(500) {
                for id in tokenizer.encode(line.as_str(), true)?.get_ids() {
                    bytes.extend_from_slice(&(*id as f32).to_le_bytes());
                }
            }
        }
        std::fs::write(file, &bytes)?;
        Ok((bytes.len() / 4).to_string())
    }
}

fn main() {
    let folder = std::env::args().nth(1).expect("usage: tokenizers_peer FOLDER");
    let mut peer = Peer { folder, warm: HashMap::new(), texts: HashMap::new() };
    let answer = |line: &str| {
        println!("{line}");
        std::io::stdout().flush().unwrap();
    };
    answer("\"ready\"");
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let reply = match words.as_slice() {
            ["run", work, count] => peer.run(work, count),
            ["result", work, file] => peer.result(work, file),
            _ => Err(format!("no request {line:?}").into()),
        };
        answer(&reply.unwrap_or_else(|failure| format!("{{\"error\": {:?}}}", failure.to_string())));
    }
}
