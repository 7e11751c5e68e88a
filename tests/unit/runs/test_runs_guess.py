"""Which column is taken for what."""

import pytest
from runs_helpers import notes, table

from scaling_core.runs import Upload, guess_mapping, read
from scaling_core.runs.aliases import alias_rank, matches_by_words, take_apart

FALSE_FRIENDS = """
    lr tokens_per_second tokens/s tokens_per_step global_batch_tokens warmup_tokens flops_per_second tflops TFLOPs
    loss_scale params_dtype n_layers val_tokens loss_std z_loss aux_loss val_loss__MIN embedding_params vocab_size
    flops_per_token log10_flops predicted_loss accuracy epoch seed
"""


def mapping(*names: str) -> dict[str, str]:
    cells = ",".join(str(i + 2) for i in range(len(names)))
    text = ",".join(f'"{name}"' for name in names)
    return guess_mapping(read(Upload("x.csv", f"{text}\n{cells}\n".encode()))).mapping


@pytest.mark.parametrize(
    ("canonical", "names"),
    [
        ("params", "N n n_params num_parameters Parameters params_total model_size size numParams "
                   "model/num_params #Params"),
        ("params_non_embedding", "n_params_non_embedding params_nonembed non_embedding_params"),
        ("tokens", "D tokens n_tokens train_tokens training_tokens tokens_seen num_input_tokens_seen total_tokens "
                   "tokens_trained consumed_train_tokens"),
        ("unique_tokens", "U unique_tokens"),
        ("flops", "C flops FLOPs compute train_flops training_flops total_flos flops_budget pf_days PF-days "
                  "petaflop/s-days flops_as_counted_by_x flops_6ND"),
        ("loss", "L loss val_loss eval/loss valid_loss test_loss train_loss perplexity ppl val_ppl bpb val_bpb "
                 "bits_per_byte bits_per_token nll pile_test_loss_paper loss_c4 wandb_val_lm_loss val_cross_entropy"),
        ("step", "step global_step iteration iter Step _step trainer/global_step"),
        ("tokens_per_param", "tokens_per_param D/N tokens_per_parameter token/param"),
        ("run", "run name run_name model model_name id experiment Name"),
    ],
)  # fmt: skip
def test_known_names(canonical: str, names: str) -> None:
    wrong = [name for name in names.split() if mapping(name, "x").get(canonical) != name]
    assert not wrong


@pytest.mark.parametrize("name", ["validation loss", "Training compute (FLOP)", "Tokens (B)", "params (millions)"])
def test_names_with_spaces(name: str) -> None:
    assert name in mapping(name, "x").values()


@pytest.mark.parametrize(
    "name",
    FALSE_FRIENDS.split(),
)
def test_false_friends_are_left_alone(name: str) -> None:
    assert name not in mapping(name, "params").values()


def test_upper_case_letters_come_first() -> None:
    assert mapping("n", "N", "d", "D", "c", "C", "l", "L") == {"params": "N", "tokens": "D", "flops": "C", "loss": "L"}


def test_validation_comes_before_test_before_unsaid_before_train() -> None:
    order = ["train_loss", "loss", "test_loss", "val_loss"]
    for i, best in enumerate(order):
        assert mapping("N", *order[: i + 1])["loss"] == best


def test_the_other_candidates_are_named() -> None:
    runs = table("params,tokens,loss_c4,loss_pile\n1e8,1e9,3,2\n")
    assert "“loss_c4” was taken; “loss_pile” could be meant" in notes(runs, "warning")
    guess = guess_mapping(read(Upload("x.csv", b"params,loss_c4,loss_pile\n1,2,3\n")))
    assert guess.choices["loss"].alternatives == ("loss_pile",)
    assert guess.choices["loss"].confidence == "words"
    assert guess.choices["params"].confidence == "exact"


def test_a_column_of_text_is_passed_over() -> None:
    runs = table("size,n_params,loss,val_loss\nsmall,1e8,3,abc\nlarge,2e8,2.9,def\n")
    assert runs.sources[0].mapping["params"] == "n_params"
    assert runs.sources[0].mapping["loss"] == "loss"
    assert "“val_loss” holds text, such as “abc”" in notes(runs, "warning")


def test_questions_ask_for_what_is_missing() -> None:
    questions = guess_mapping(read(Upload("x.csv", b"a,b\n1,2\n"))).questions
    assert "parameters, tokens or FLOPs" in questions[0]
    assert "the loss" in questions[1]
    bits = guess_mapping(read(Upload("x.csv", b"N,bpb\n1,2\n")))
    assert bits.loss_unit == "bits_per_byte"
    assert "bytes does a token" in bits.questions[0]


def test_one_column_is_one_thing() -> None:
    found = mapping("model_size", "name", "tokens", "unique_tokens")
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize(
    ("name", "canonical", "scale"),
    [
        ("mparams", "params", 1e6), ("MParams", "params", 1e6), ("M params", "params", 1e6),
        ("params_M", "params", 1e6), ("size_M", "params", 1e6), ("num_params_M", "params", 1e6),
        ("params_in_millions", "params", 1e6), ("params_m_total", "params", 1e6), ("bparams", "params", 1e9),
        ("Btokens", "tokens", 1e9), ("tokens in billions", "tokens", 1e9), ("total_tokens_M", "tokens", 1e6),
        ("EFLOPs", "flops", 1e18), ("training_eflops", "flops", 1e18), ("total_pflops", "flops", 1e15),
        ("training_flops_e18", "flops", 1e18),
    ],
)  # fmt: skip
def test_a_unit_in_a_name_stands_before_or_behind_what_it_counts(name: str, canonical: str, scale: float) -> None:
    assert alias_rank(canonical, name) is not None
    assert take_apart(name).scale == scale


@pytest.mark.parametrize("name", ["tflops", "pflops", "tok/s", "tok_per_sec", "d_model", "gflops_per_second"])
def test_rates_are_no_sums(name: str) -> None:
    assert all(alias_rank(c, name) is None and not matches_by_words(c, name) for c in ("params", "tokens", "flops"))
