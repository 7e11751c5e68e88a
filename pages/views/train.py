"""Train: make the runs I lack."""

import streamlit as st

from pages.parts import frame, train_form, train_live, train_queue


def body() -> None:
    left, right = st.columns([2, 3.3], gap="medium")
    ladder = train_queue.chosen()
    with left:
        st.markdown("#### The next ladder")
        train_form.draw()
    with right:
        st.markdown("#### The queue")
        if ladder is None:
            nothing_yet()
        else:
            train_queue.draw(ladder)
    if ladder is not None:
        train_live.draw(ladder)
    train_queue.notice(ladder)


def nothing_yet() -> None:
    """What to do first."""
    st.info(
        "No ladder has been trained here. Choose how long it may take and what is to be learned, and press "
        "*Launch*: two minutes are enough to see a law.",
        icon=":material/model_training:",
    )
    st.markdown(
        "A ladder is a set of small runs, from small to large. They are trained on this machine, or where you say, in "
        "processes of their own: this window may be closed meanwhile. As they end, their law is drawn; the largest is "
        "forecast before its end is trained, and the forecast is held against what came."
    )


frame.page("Train", "Make the runs I lack: a ladder of small models, trained while its law grows.", body)
