"""tiny.txt: a notebook in the form that scripts/verify_notebook reads, about the tiny checkpoints of ../fixtures/models.

The cells below are run, by the libraries of the notebook's time, and written down with what they print. Outputs are cut as they are in the
notebook's text: at 1 000 characters, and tables at 10 rows. To make it again:

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python make_notebook.py
"""

import ast
import contextlib
import io
import itertools
import os
import pathlib
import warnings

import pandas
import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "fixtures/models"

CELLS = [
    (64, "from transformers import BertModel, BertTokenizer\nimport torch\nimport pandas as pd"),
    (65, "#loading the bert base model\ntokenizer = BertTokenizer.from_pretrained('bert-pretraining')\n"
         "model = BertModel.from_pretrained('bert-pretraining')"),
    (66, '"puru" in tokenizer.vocab'),
    (67, '"paris" in tokenizer.vocab'),
    (73, 'text = "The man, she is eating food in Paris. It was food."\n\ntokens = tokenizer.encode(text)\n'
         "#unsqueeze changes the tensor from (20) for (20,1)\ninputs = torch.tensor(tokens).unsqueeze(0)\ninputs"),
    (74, "#get attention scores from the bert model\nattention = model(inputs, output_attentions = True)[2]"),
    (75, "# get the final encoder\nfinal_attention = attention[-1].mean(1)[0]"),
    (76, "#put the output in a df\n\nattention_df = pd.DataFrame(final_attention.detach()).applymap(float).round(3)\n"
         "attention_df.columns = tokenizer.convert_ids_to_tokens(tokens)\nattention_df.index = tokenizer.convert_ids_to_tokens(tokens)\n\n"
         "attention_df"),
    (55, 'google_html = ("The man is in the café.\\xa0She was eating food and the man was in \'Paris\'. It is so fun, 世界!\\n"\n'
         '               "He is 19 and works in the class. The world is so small; and it is the same man who eats.")'),
    (57, "from transformers import pipeline\nnlp = pipeline('question-answering', model=\"roberta-qa\",\n"
         '              tokenizer="roberta-qa",max_length=10)'),
    (58, "google_html"),
    (60, 'nlp("is it fun?",google_html)'),
    (78, "from transformers import pipeline, set_seed, GPT2Tokenizer, GPT2LMHeadModel\n\n"
         "# to ensure we get the same results\nset_seed(42)"),
    # The real gpt2's config.json says do_sample for this pipeline.
    (79, "generator = pipeline('text-generation', model='gpt2-prefixed', do_sample=True)\n"
         'generator("the world", max_length=9, num_return_sequences=3)'),
    (81, 'model = GPT2LMHeadModel.from_pretrained("gpt2-prefixed")\nmodel'),
    (88, 'phrase = "the man is in Paris. It is!"\n\nencoded_phrase = tokenizer(phrase, return_tensors=\'pt\')\n\n'
         "response = model(**encoded_phrase, output_attentions=True, output_hidden_states=True)\n\n"
         "tokens = tokenizer.convert_ids_to_tokens(encoded_phrase['input_ids'][0])\n\n#grab from the last layer and 0 is the head\n\n"
         "arr = response.attentions[1][0][0]\nn_digits = 3\n\n"
         "attention_df = pd.DataFrame((torch.round(arr*10**n_digits)/(10**n_digits)).detach()).applymap(float)\n"
         "attention_df.columns = tokens\nattention_df.index = tokens\n\nattention_df"),
    (97, 'generator("The man \'s", max_length=12, num_return_sequences=2)'),
    (100, 'generator("""%s""" , top_k=2, temperature=0.1, max_length=%d)[0][\'generated_text\']'),
]


def run(code, names):
    """The value of the cell's last line as it is shown, or None."""
    *statements, last = ast.parse(code).body
    exec(compile(ast.Module(statements, []), "cell", "exec"), names)
    if not isinstance(last, ast.Expr):
        exec(compile(ast.Module([last], []), "cell", "exec"), names)
        return None
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    if value is None:
        return None
    if isinstance(value, pandas.DataFrame):
        # The notebook's text has its tables as pandas reads them from the page and writes them again.
        table = io.StringIO(value.round(6).to_csv())
        return pandas.read_csv(table).head(10).to_csv(index=False).rstrip("\n")
    if isinstance(value, list) and "generated_text" in str(value):
        shown = "[" + ",\n ".join(map(repr, value)) + "]"
    elif isinstance(value, dict):
        shown = "{" + ",\n ".join(f"{key!r}: {entry!r}" for key, entry in value.items()) + "}"
    else:
        shown = repr(value)
    return shown[:1000]


def sure_prompt():
    """A prompt of two lines behind which the likelier token is all but certain at temperature 0.1, so that two draws agree."""
    tokenizer = transformers.GPT2Tokenizer.from_pretrained("gpt2-prefixed")
    model = transformers.GPT2LMHeadModel.from_pretrained("gpt2-prefixed")
    words = [" the", " world", " so", " fun", " is", " my", " class", " and", " a", " 19", " Hello", " was", "Text", ".", ","]
    for first, second, third in itertools.product(words, repeat=3):
        prompt = f"{first}{second}\n{third}:"
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        begin, gap = ids.shape[1], 1e9
        while gap > 0.8 and ids.shape[1] < begin + 3:
            logits, order = model(ids).logits[0, -1].sort(descending=True)
            gap = logits[0] - logits[1]
            ids = torch.cat([ids, order[None, :1]], 1)
        text = tokenizer.decode(ids[0, begin:])
        if gap > 0.8 and text.isprintable() and "\ufffd" not in text and text.strip() and ids.shape[1] < 16:
            return prompt, ids.shape[1]
    raise SystemExit("found no such prompt")


def main():
    warnings.simplefilter("ignore")
    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(1)
    os.chdir(MODELS)
    names, lines = {}, ["# A notebook about tiny checkpoints\n\nTheir weights are random, and so are the words.\n"]
    for number, code in CELLS:
        code = code % sure_prompt() if "%s" in code else code
        with contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
            shown = run(code, names)
        lines.append(f"In [{number}]:\n{code}\n" + (f"\n{shown}\n" if shown is not None else ""))
        if number == 76:
            lines.append("## Question answering\n")
    (HERE / "tiny.txt").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
