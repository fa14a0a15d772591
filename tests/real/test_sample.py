"""The sample application, end to end, on DynamoDB Local and the real OpenSearch."""

from __future__ import annotations

import test_sample_application as embedded
from deployments import Deployment, eventually

test_every_type = embedded.test_an_item_with_every_type_is_found_updated_and_removed
test_the_article_s_item = embedded.test_the_article_s_item_is_found_with_its_metadata
test_an_image = embedded.test_an_image_is_found_by_its_metadata_until_it_is_deleted
test_keys_of_every_kind = embedded.test_keys_of_every_kind_work_from_the_bucket_to_the_document
test_a_title = embedded.test_a_title_that_somebody_gave_survives_another_upload
test_no_image = embedded.test_what_is_no_image_is_kept_with_the_reason_and_disturbs_nothing
test_gone = embedded.test_an_upload_that_is_gone_when_it_is_read_is_skipped
test_a_burst = embedded.test_a_burst_of_changes_ends_with_the_index_equal_to_the_table
test_a_restart = embedded.test_a_restart_reads_on_where_it_stopped


def test_an_attribute_over_the_limit_of_a_term_is_stored_and_the_item_found(running: Deployment):
    running.items.put_item(Item={"id": "a", "title": "T", "text": "w" * 40_000})
    eventually(running.documents, {"a": {"title": "T", "metadata": {}, "large": {"text": "w" * 40_000}}})
