"""A very small BERT that learns, from nothing, which remarks are friendly; kept as transformers keeps models."""

import argparse
import os
from pathlib import Path

from datasets import Dataset
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast, Trainer, TrainingArguments

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=20)
given = parser.parse_args()

lines = (Path(os.environ["SM_CHANNEL_TRAIN"]) / "remarks.csv").read_text().splitlines()
labels, remarks = zip(*(line.split(",", 1) for line in lines), strict=True)
words = sorted({word for remark in remarks for word in remark.split()})
vocabulary = Path("vocabulary.txt")
vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
tokenizer = BertTokenizerFast(str(vocabulary))
config = BertConfig(
    vocab_size=len(tokenizer),
    hidden_size=32,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=64,
    id2label={0: "cross", 1: "friendly"},
    label2id={"cross": 0, "friendly": 1},
)
rows = Dataset.from_dict({**tokenizer(list(remarks), padding=True), "labels": [int(label) for label in labels]})
arguments = TrainingArguments(
    "/tmp/trainer",
    num_train_epochs=given.epochs,
    learning_rate=1e-2,
    per_device_train_batch_size=16,
    logging_steps=10,
    save_strategy="no",
    report_to=[],
    disable_tqdm=True,
    seed=1,
)
trainer = Trainer(BertForSequenceClassification(config), arguments, train_dataset=rows)
trainer.train()
trainer.save_model(os.environ["SM_MODEL_DIR"])
tokenizer.save_pretrained(os.environ["SM_MODEL_DIR"])
