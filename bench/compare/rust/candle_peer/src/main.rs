//! candle: BERT, MiniLM on sentences, and SmolLM2 in blocks. Answers as bench/respond.cpp does; threads by RAYON_NUM_THREADS.
//!
//!     candle_peer FOLDER                 then `run WORK N`, `result WORK FILE`
use candle_core::quantized::gguf_file;
use candle_core::{DType, Device, Tensor, D};
use candle_nn::VarBuilder;
use candle_transformers::models::{bert, quantized_llama};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Write};
use std::rc::Rc;
use std::time::Instant;
use tokenizers::Tokenizer;

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Peer {
    folder: String,
    state: u64,
    next: usize,
    warm: HashSet<String>,
    berts: HashMap<String, Rc<bert::BertModel>>,
    tokenizers: HashMap<String, Rc<Tokenizer>>,
    llama: Option<(String, quantized_llama::ModelWeights)>,
}

fn fixed(text: String) -> Vec<u32> {
    text.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

impl Peer {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    fn ids(&mut self, count: usize) -> Vec<u32> {
        (0..count)
            .map(|_| {
                self.state = self.state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                ((self.state >> 33) % 30000) as u32
            })
            .collect()
    }

    fn bert(&mut self, name: &str) -> Result<Rc<bert::BertModel>, Failure> {
        if !self.berts.contains_key(name) {
            let config: bert::Config = serde_json::from_str(&std::fs::read_to_string(self.path(&format!("{name}/config.json")))?)?;
            let file = self.path(&format!("{name}/model.safetensors"));
            let weights = unsafe { VarBuilder::from_mmaped_safetensors(&[file], DType::F32, &Device::Cpu)? };
            self.berts.insert(name.to_string(), Rc::new(bert::BertModel::load(weights, &config)?));
        }
        Ok(self.berts[name].clone())
    }

    fn tokenizer(&mut self, name: &str) -> Result<Rc<Tokenizer>, Failure> {
        if !self.tokenizers.contains_key(name) {
            let mut made = Tokenizer::from_file(self.path(&format!("{name}/tokenizer.json")))?;
            made.with_padding(None);
            made.with_truncation(Some(tokenizers::TruncationParams { max_length: 256, ..Default::default() }))?;
            self.tokenizers.insert(name.to_string(), Rc::new(made));
        }
        Ok(self.tokenizers[name].clone())
    }

    fn hidden(&mut self, name: &str, ids: &[u32], rows: usize) -> Result<Tensor, Failure> {
        let model = self.bert(name)?;
        let ids = Tensor::from_vec(ids.to_vec(), (rows, ids.len() / rows), &Device::Cpu)?;
        Ok(model.forward(&ids, &ids.zeros_like()?, None)?)
    }

    fn embed(&mut self, name: &str, lines: &[String]) -> Result<Vec<Vec<f32>>, Failure> {
        let (model, tokenizer) = (self.bert(name)?, self.tokenizer(name)?);
        let encoded: Vec<Vec<u32>> =
            tokenizer.encode_batch(lines.iter().map(String::as_str).collect(), true)?.iter().map(|one| one.get_ids().to_vec()).collect();
        let mut order: Vec<usize> = (0..lines.len()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(encoded[*i].len()));
        let mut vectors = vec![Vec::new(); lines.len()];
        for part in order.chunks(16) {
            let longest = encoded[part[0]].len();
            let (mut ids, mut mask) = (Vec::new(), Vec::new());
            for i in part {
                let padding = longest - encoded[*i].len();
                ids.extend(encoded[*i].iter().copied().chain(std::iter::repeat_n(0, padding)));
                mask.extend(std::iter::repeat_n(1u32, encoded[*i].len()).chain(std::iter::repeat_n(0, padding)));
            }
            let shape = (part.len(), longest);
            let (ids, mask) = (Tensor::from_vec(ids, shape, &Device::Cpu)?, Tensor::from_vec(mask, shape, &Device::Cpu)?);
            let hidden = model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
            let weight = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
            let mean = hidden.broadcast_mul(&weight)?.sum(1)?.broadcast_div(&weight.sum(1)?)?;
            let unit = mean.broadcast_div(&mean.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)?;
            for (row, i) in unit.to_vec2::<f32>()?.into_iter().zip(part) {
                vectors[*i] = row;
            }
        }
        Ok(vectors)
    }

    fn sentences(&self) -> Result<Vec<String>, Failure> {
        Ok(std::fs::read_to_string(self.path("sentences.txt"))?.lines().map(str::to_string).collect())
    }

    fn llama(&mut self, name: &str) -> Result<&mut quantized_llama::ModelWeights, Failure> {
        if self.llama.as_ref().map(|(kept, _)| kept.as_str()) != Some(name) {
            let mut file = std::io::BufReader::new(std::fs::File::open(self.path(&format!("{name}.gguf")))?);
            let content = gguf_file::Content::read(&mut file)?;
            self.llama = Some((name.to_string(), quantized_llama::ModelWeights::from_gguf(content, &mut file, &Device::Cpu)?));
        }
        Ok(&mut self.llama.as_mut().unwrap().1)
    }

    fn logits(&mut self, name: &str, ids: &[u32], position: usize) -> Result<Tensor, Failure> {
        let ids = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
        Ok(self.llama(name)?.forward(&ids, position)?)
    }

    fn once(&mut self, parts: &[&str]) -> Result<f64, Failure> {
        let seconds = |began: Instant| began.elapsed().as_secs_f64();
        if parts[0] == "smollm2" {
            let name = format!("smollm2-{}", parts[1]);
            let length: usize = parts[3].parse()?;
            let ids = self.ids(length + 16);
            self.llama(&name)?.clear_kv_cache();
            let mut began = Instant::now();
            self.logits(&name, &ids[..length], 0)?;
            if parts[2] == "decode" {
                began = Instant::now();
                for position in length..length + 16 {
                    self.logits(&name, &ids[position..position + 1], position)?;
                }
            }
            return Ok(seconds(began));
        }
        if parts[2] == "sentences" || parts[2] == "one" {
            let mut lines = self.sentences()?;
            if parts[2] == "one" {
                lines = vec![lines[self.next % lines.len()].clone()];
                self.next += 1;
            }
            self.bert(parts[0])?;
            self.tokenizer(parts[0])?;
            let began = Instant::now();
            self.embed(parts[0], &lines)?;
            return Ok(seconds(began));
        }
        let (rows, length) = parts[2].split_once('x').ok_or("expected SEQUENCESxTOKENS")?;
        let rows: usize = rows.parse()?;
        let ids = self.ids(rows * length.parse::<usize>()?);
        self.bert(parts[0])?;
        let began = Instant::now();
        self.hidden(parts[0], &ids, rows)?;
        Ok(seconds(began))
    }

    fn run(&mut self, work: &str, count: &str) -> Result<String, Failure> {
        let parts: Vec<&str> = work.split('/').collect();
        if self.warm.insert(work.to_string()) {
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
        let values: Vec<f32> = if parts[0] == "smollm2" {
            let name = format!("smollm2-{}", parts[1]);
            let ids = fixed(std::fs::read_to_string(self.path("smollm2.ids.txt"))?);
            self.llama(&name)?.clear_kv_cache();
            self.logits(&name, &ids, 0)?.flatten_all()?.to_vec1()?
        } else if parts[2] == "sentences" || parts[2] == "one" {
            let lines = self.sentences()?;
            self.embed(parts[0], &lines[..if parts[2] == "one" { 1 } else { lines.len().min(200) }])?.concat()
        } else {
            let ids = fixed(std::fs::read_to_string(self.path(&format!("{}.ids.txt", parts[0])))?);
            self.hidden(parts[0], &ids, 1)?.flatten_all()?.to_vec1()?
        };
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(file, bytes)?;
        Ok(values.len().to_string())
    }
}

fn main() {
    let folder = std::env::args().nth(1).expect("usage: candle_peer FOLDER");
    let mut peer = Peer { folder, state: 1, next: 0, warm: HashSet::new(), berts: HashMap::new(), tokenizers: HashMap::new(), llama: None };
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
