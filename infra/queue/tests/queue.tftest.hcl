mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
}

variables {
  environment = "test"
  region      = "eu-west-1"

  buckets = {
    images-in = {
      name   = "acme-in"
      arn    = "arn:aws:s3:::acme-in"
      events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
      prefix = "photos/"
    }
  }

  queues = {
    pending-images = { buckets = ["images-in"] }
  }

  streams = {
    images = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/images/stream/2026", filters = ["{\"dynamodb\":{}}"] }
  }
}

run "a_bucket_notifies_its_topic_which_sends_to_the_queue" {
  command = plan

  assert {
    condition     = aws_s3_bucket_notification.uploads["images-in"].bucket == "acme-in"
    error_message = "The notification is of another bucket."
  }

  assert {
    condition     = toset(aws_s3_bucket_notification.uploads["images-in"].topic[0].events) == toset(["s3:ObjectCreated:*", "s3:ObjectRemoved:*"])
    error_message = "Other events are notified."
  }

  assert {
    condition     = aws_s3_bucket_notification.uploads["images-in"].topic[0].filter_prefix == "photos/"
    error_message = "Other objects are notified."
  }

  assert {
    condition = (
      aws_sns_topic_subscription.queue["pending-images/images-in"].protocol == "sqs" &&
      aws_sns_topic_subscription.queue["pending-images/images-in"].endpoint == module.queue["pending-images"].queue.arn
    )
    error_message = "The queue is not subscribed."
  }

  assert {
    condition     = output.names == { "queue/pending-images" = "streamdex-test-pending-images" }
    error_message = "The output names does not map the queue."
  }
}

run "only_the_bucket_may_publish" {
  command = plan

  assert {
    condition = [
      for statement in jsondecode(aws_sns_topic_policy.uploads["images-in"].policy).Statement : statement.Condition
      if statement.Effect == "Allow"
    ] == [{ ArnEquals = { "aws:SourceArn" = "arn:aws:s3:::acme-in" }, StringEquals = { "aws:SourceAccount" = "111122223333" } }]
    error_message = "Other principals can publish."
  }
}

run "no_pipe_unless_asked_for" {
  command = plan

  assert {
    condition     = length(aws_pipes_pipe.changes) == 0
    error_message = "There is a pipe although no table is piped."
  }
}

run "a_piped_table_has_a_queue_of_its_own" {
  command = plan

  variables {
    piped_tables = ["images"]
  }

  assert {
    condition = (
      aws_pipes_pipe.changes["changes-images"].source == var.streams["images"].arn &&
      aws_pipes_pipe.changes["changes-images"].target == module.queue["changes-images"].queue.arn
    )
    error_message = "The pipe does not connect the stream with its queue."
  }

  assert {
    condition     = one(aws_pipes_pipe.changes["changes-images"].source_parameters[0].filter_criteria[0].filter).pattern == var.streams["images"].filters[0]
    error_message = "The pipe does not have the filters of the routes."
  }

  assert {
    condition     = aws_pipes_pipe.changes["changes-images"].source_parameters[0].dynamodb_stream_parameters[0].on_partial_batch_item_failure == "AUTOMATIC_BISECT"
    error_message = "One bad record would block its batch."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.pipe["changes-images"].policy).Statement : statement.Sid
      if contains(flatten([statement.Resource]), "*")
    ] == ["ListStreams"]
    error_message = "The pipe has permissions for other resources."
  }
}

run "only_its_pipe_may_send_to_the_queue_of_a_table" {
  command = plan

  variables {
    piped_tables = ["images"]
  }

  assert {
    condition     = local.made["changes-images"] == { topics = [], senders = [aws_iam_role.pipe["changes-images"].arn] }
    error_message = "Other principals can forge changes of the table."
  }
}

run "there_is_no_task_queue_unless_asked_for" {
  command = plan

  assert {
    condition     = keys(module.queue) == ["pending-images"]
    error_message = "There is a queue `tasks` although task_queue is not set."
  }
}

run "only_operators_and_workers_may_send_to_the_task_queue" {
  command = plan

  variables {
    task_queue = true
    operators  = ["arn:aws:iam::111122223333:role/operator"]
  }

  assert {
    condition = local.made["tasks"] == {
      topics  = []
      senders = ["arn:aws:iam::111122223333:role/streamdex-test", "arn:aws:iam::111122223333:role/streamdex-test-*"]
    }
    error_message = "Other principals can send backfill tasks, or workers cannot enqueue the rest of a task."
  }

  assert {
    condition     = output.names["queue/tasks"] == "streamdex-test-tasks"
    error_message = "The output names does not map the task queue."
  }
}

run "a_task_queue_without_operators_is_refused" {
  command = plan

  variables {
    task_queue = true
  }

  expect_failures = [var.task_queue]
}

run "an_operator_is_a_principal" {
  command = plan

  variables {
    operators = ["operator"]
  }

  expect_failures = [var.operators]
}

run "a_topic_that_exists_is_used" {
  command = plan

  variables {
    existing_topics = { images-in = "arn:aws:sns:eu-west-1:111122223333:theirs" }
  }

  assert {
    condition     = length(aws_sns_topic.uploads) == 0 && length(aws_s3_bucket_notification.uploads) == 0
    error_message = "The bucket's notifications would be replaced."
  }

  assert {
    condition     = aws_sns_topic_subscription.queue["pending-images/images-in"].topic_arn == "arn:aws:sns:eu-west-1:111122223333:theirs"
    error_message = "The queue is not subscribed to it."
  }
}

run "a_queue_that_exists_is_used" {
  command = plan

  variables {
    existing_queues = { pending-images = "existing" }
  }

  assert {
    condition     = length(module.queue) == 0 && length(aws_sns_topic_subscription.queue) == 0
    error_message = "A queue was created, or the existing one was subscribed."
  }

  assert {
    condition     = output.names == { "queue/pending-images" = "existing" }
    error_message = "The output names lacks the existing queue."
  }
}

run "queue" {
  command = plan

  module {
    source = "../modules/queue"
  }

  variables {
    name               = "pending"
    topics             = ["arn:aws:sns:eu-west-1:111122223333:uploads"]
    senders            = ["arn:aws:iam::111122223333:role/operator"]
    visibility_timeout = 360
    max_receive_count  = 20
    age_alarm          = 900
    alarm_actions      = ["arn:aws:sns:eu-west-1:111122223333:pager"]
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_policy) == { deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 20 }
    error_message = "Messages that the queue gives up are lost."
  }

  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dead.sqs_managed_sse_enabled
    error_message = "A queue is not encrypted."
  }

  assert {
    condition     = aws_sqs_queue.this.message_retention_seconds == 1209600 && aws_sqs_queue.dead.message_retention_seconds == 1209600
    error_message = "Messages are kept for less than 14 days."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_sqs_queue_policy.this["this"].policy).Statement : [statement.Principal, statement.Condition]
      if statement.Effect == "Allow"
    ] == [[{ Service = "sns.amazonaws.com" }, { ArnEquals = { "aws:SourceArn" = "arn:aws:sns:eu-west-1:111122223333:uploads" } }]]
    error_message = "Other principals can send."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_sqs_queue_policy.this["this"].policy).Statement :
      [statement.Effect, statement.Principal, statement.Action, statement.Condition]
      if statement.Sid == "NobodyElse"
      ] == [["Deny", "*", "sqs:SendMessage", { ArnNotLike = {
        "aws:SourceArn"    = ["arn:aws:sns:eu-west-1:111122223333:uploads"]
        "aws:PrincipalArn" = ["arn:aws:iam::111122223333:role/operator"]
    } }]]
    error_message = "A principal with permission to send to all queues can send to this one."
  }

  assert {
    condition = alltrue([
      for policy in aws_sqs_queue_policy.this : contains([for statement in jsondecode(policy.policy).Statement : statement.Sid], "OnlyTls")
    ])
    error_message = "A queue accepts requests without TLS."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.dead.threshold == 0 && aws_cloudwatch_metric_alarm.dead.dimensions.QueueName == "pending-dead"
    error_message = "No alarm reports messages in the dead-letter queue."
  }

  assert {
    condition     = alltrue([for alarm in [aws_cloudwatch_metric_alarm.dead, aws_cloudwatch_metric_alarm.age] : alarm.alarm_actions == toset(var.alarm_actions)])
    error_message = "An alarm has no action."
  }
}

run "a_queue_without_senders_accepts_no_messages" {
  command = plan

  module {
    source = "../modules/queue"
  }

  variables {
    name               = "pending"
    visibility_timeout = 360
    max_receive_count  = 20
    age_alarm          = 900
    alarm_actions      = []
  }

  assert {
    condition = [
      for statement in jsondecode(aws_sqs_queue_policy.this["this"].policy).Statement : keys(statement)
      if statement.Sid == "NobodyElse"
    ] == [["Action", "Effect", "Principal", "Resource", "Sid"]]
    error_message = "A principal can send."
  }
}

run "events_that_s3_does_not_have_are_refused" {
  command = plan

  variables {
    buckets = { images-in = { name = "acme-in", arn = "arn:aws:s3:::acme-in", events = ["s3:*"] } }
  }

  expect_failures = [var.buckets]
}
