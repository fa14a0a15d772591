mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
}

variables {
  environment  = "test"
  region       = "eu-west-1"
  image        = "made.example/made@sha256:0123"
  architecture = "arm64"
  settings     = { READ_QUEUE = "pending-images" }
  secrets_path = "/streamdex-test"
  secret_names = ["SEARCH_PASSWORD"]
  vpc_id       = "vpc-1"
  subnet_ids   = ["subnet-1", "subnet-2"]

  policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Write\",\"Effect\":\"Allow\",\"Action\":\"dynamodb:PutItem\",\"Resource\":\"arn:aws:dynamodb:eu-west-1:111122223333:table/images\"}]}"

  queues = {
    pending-images = { name = "streamdex-test-pending-images", arn = "arn:aws:sqs:eu-west-1:111122223333:streamdex-test-pending-images" }
  }
}

run "nothing_of_it_is_public" {
  command = plan

  assert {
    condition     = !aws_ecs_service.this["this"].network_configuration[0].assign_public_ip
    error_message = "The container has a public address."
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.this["this"].to_port == 443
    error_message = "The container can connect to other ports than HTTPS."
  }

  assert {
    condition     = aws_ecr_repository.this[0].encryption_configuration[0].encryption_type == "AES256" && aws_ecr_repository.this[0].image_tag_mutability == "IMMUTABLE"
    error_message = "Images are not encrypted, or a tag can move."
  }
}

run "the_container_can_write_nowhere_but_its_state" {
  command = plan

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this["this"].container_definitions)[0].readonlyRootFilesystem
    error_message = "The container can write to its root file system."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this["this"].container_definitions)[0].linuxParameters.capabilities.drop == ["ALL"]
    error_message = "The container has capabilities of root."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this["this"].container_definitions)[0].healthCheck.command == ["CMD", "python", "-m", "service.entrypoints.healthy"]
    error_message = "A stuck container is not replaced."
  }
}

run "secrets_come_from_the_parameter_store" {
  command = plan

  assert {
    condition = jsondecode(aws_ecs_task_definition.this["this"].container_definitions)[0].secrets == [
      { name = "SEARCH_PASSWORD", valueFrom = "arn:aws:ssm:eu-west-1:111122223333:parameter/streamdex-test/SEARCH_PASSWORD" }
    ]
    error_message = "The container does not get its secrets."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this["this"].container_definitions)[0].environment == [{ name = "READ_QUEUE", value = "pending-images" }]
    error_message = "The container has wrong settings."
  }
}

run "roles_are_allowed_what_is_theirs" {
  command = plan

  assert {
    condition     = aws_iam_role_policy.work.policy == var.policy
    error_message = "The policy differs from the one that is derived from the routes."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.start.policy).Statement : statement.Sid
      if contains(flatten([statement.Resource]), "*")
    ] == ["LogIn"]
    error_message = "The execution role has permissions for other resources."
  }
}

run "containers_follow_the_age_of_queues" {
  command = plan

  assert {
    condition     = aws_appautoscaling_target.this["this"].min_capacity == 1 && aws_appautoscaling_target.this["this"].max_capacity == 10
    error_message = "The number of containers has wrong limits."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.behind["pending-images"].metric_name == "ApproximateAgeOfOldestMessage" &&
      aws_cloudwatch_metric_alarm.behind["pending-images"].dimensions.QueueName == "streamdex-test-pending-images" &&
      aws_cloudwatch_metric_alarm.behind["pending-images"].alarm_actions == toset([aws_appautoscaling_policy.up["this"].arn])
    )
    error_message = "A queue that lags gets no additional container."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.idle["this"].alarm_actions == toset([aws_appautoscaling_policy.down["this"].arn])
    error_message = "Idle containers are never removed."
  }
}

run "without_an_image_there_is_only_a_repository" {
  command = plan

  variables {
    image = null
  }

  assert {
    condition     = length(aws_ecs_service.this) == 0 && length(aws_ecr_repository.this) == 1 && output.service == null
    error_message = "A service runs without an image."
  }
}

run "existing_resources_are_used" {
  command = plan

  variables {
    existing_cluster    = "theirs"
    existing_repository = true
  }

  assert {
    condition     = length(aws_ecs_cluster.this) == 0 && length(aws_ecr_repository.this) == 0 && aws_ecs_service.this["this"].cluster == "theirs"
    error_message = "An existing resource was created."
  }
}

run "a_container_without_a_network_is_refused" {
  command = plan

  variables {
    subnet_ids = []
  }

  expect_failures = [aws_ecs_service.this]
}
